/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * TCP ports of programs beside the VM, in its pod, on the guest's own loopback: 127.0.0.1 and ::1.
 * Each connection that is made there becomes one to the host (AGENT_SHARED_PORT), which knows where
 * it leads and whether it may.
 *
 * Thread-safety: of one thread and its event loop.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct event_base;
struct host_ports;

/* Listens. A negative errno: a port cannot be had on 127.0.0.1 (::1 need not be there). */
int host_ports_open(struct event_base *loop, const uint16_t *ports, size_t n,
	struct host_ports **out, struct err *err);

/* Breaks its connections. May be NULL. */
void host_ports_free(struct host_ports *ports);
