/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A port to a virtual machine: virtio-net (virtio 1.2, 5.1) behind a vhost-user socket.
 *
 * Each queue of the port is a pair of rings: the even one is the guest's receive queue, our egress;
 * the odd one its transmit queue, our ingress. A guest need not use all pairs. Frames of the
 * ingress are views of guest memory until release() returns their descriptors; frames to the egress
 * are copied once, in three passes over a burst so that the cache misses of its frames overlap:
 * collect and translate descriptors, prefetch the buffers, copy. One store of the used index per
 * burst, one notification at most.
 *
 * What the guest negotiated decides what it is sent (`caps`); the rest is segmented or checksummed
 * on the way in.
 */

#include "switch/port/host.h"
#include "switch/port/port.h"

/*
 * Opens the socket (or begins to connect to the VMM's) and returns a port that is down until a
 * guest runs, or NULL with *err set. `config` is copied.
 */
struct port *vhost_net_open(
	const struct port_config *config, const struct port_host *host, struct err *err);
