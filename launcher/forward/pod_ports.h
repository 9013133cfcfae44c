/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The TCP ports that programs of the pod have. Whoever was once seen to listen on one has it for
 * good, on whichever address: a program that is started again finds its port as it left it, and
 * "localhost", which is two addresses, is nobody else's meanwhile.
 *
 * Thread-safety: one thread at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/ip_addr.h"

struct pod_ports {
	uint8_t seen[(UINT16_MAX + 1) / 8]; /* a bit for each; zero at first */
};

/* Whether a listener is not the pod's, but `owner`'s. */
typedef bool pod_ports_is_ours(const void *owner, const struct ip_addr *address, uint16_t port);

/* Adds all that is listened on now. 0, or a negative errno: that may not have been all. */
int pod_ports_look(struct pod_ports *ports, pod_ports_is_ours *is_ours, const void *owner);

bool pod_ports_has(const struct pod_ports *ports, uint16_t port);
