/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The device as its VMM sees it: the vhost-user engine of the switch (vhost_user.h) with a single
 * thread, the event loop's, in the place of workers. So parking a ring waits for nobody.
 *
 * It lives as long as one VMM's connection: QEMU cannot reconnect this device. A connection that
 * ends before it has shared memory was no VMM, and another may come. When the VMM is gone, what the
 * guest had sent is still delivered, for at most VSOCK_LINGER_MS.
 *
 * A driver that resets the device, or breaks its rings, forgets all connections; so do we. A ring
 * that is broken stays so until the driver sets it up anew: it must not take the process with it.
 *
 * Signals. The VMM shares the call descriptors and can make a write to them block
 * (virtqueue_signal()): an alarm ends that, set while there is work. The VMM is disconnected then.
 */

#include <stdbool.h>

#include <event2/event.h>

#include "config/vsock_config.h"
#include "lib/err.h"
#include "switch/port/port.h"
#include "switch/port/vhost_socket.h"
#include "switch/port/vhost_user.h"
#include "switch/vsock/vsock.h"
#include "switch/vsock/vsock_host.h"

#define VSOCK_LINGER_MS 1000

struct vsock_device {
	struct event_base *base;
	struct port_host host;
	struct port port; /* the engine's idea of us: a name */
	struct vhost_user vu;
	struct vhost_socket socket;
	struct vsock vsock;
	struct vsock_host clients;
	struct event *attention_event; /* guest memory vanished */
	struct event *run_event;
	struct event *nudge_event;
	bool nudge_is_soon;        /* it comes within NUDGE_MS */
	bool rx_nudged, tx_nudged; /* whether the guest has noticed is still to be seen */
	struct event *kick_event[VSOCK_N_RINGS];
	struct event *linger_event;
	int64_t linger_until_ms; /* 0: the VMM is there, or has not come */
	bool up;                 /* the driver runs */
	bool has_vmm;            /* the connection has shared memory */
	bool failed;             /* the VMM was disconnected by us */
};

/*
 * Listens on both sockets. The loop ends (event_base_loopbreak()) when the VMM's connection does.
 * `config` and `base` outlive the device. Call once in a process.
 */
int vsock_device_open(struct vsock_device *d, const struct vsock_config *config,
	struct event_base *base, struct err *err);

/* Ends all connections, removes both sockets. Also after a failed open. */
void vsock_device_close(struct vsock_device *d);
