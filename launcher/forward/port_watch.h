/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Follows what the guest's agent says of the ports that the guest listens on (lib/port_report.h),
 * for as long as it lives: a connection that ends, breaks the rules, or on which the first report
 * does not come in time, is made again after a while. However much the guest says, it is heard
 * at most five times a second, and the rest waits in its own sockets.
 *
 * Thread-safety: of one thread and its event loop.
 */

#include "lib/port_report.h"

struct event_base;
struct port_watch;

struct port_watch_owner {
	/* From the event loop; *report is for the call. It may not free the watch. */
	void (*heard)(void *owner, const struct port_report *report);
	void *owner;
	unsigned patience_ms; /* until the first report, which the agent has at hand */
};

/* `vsock` is the VM's socket, and stays the caller's. NULL: no memory. */
struct port_watch *port_watch_start(
	struct event_base *loop, const char *vsock, const struct port_watch_owner *owner);

/* May be NULL. */
void port_watch_free(struct port_watch *watch);
