/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What the control plane gives to ports: an event loop to live in, a way to make the workers
 * look away, and a way to be woken up by them. Ports know nothing else about their surroundings.
 */

#include <limits.h>

#include <event2/event.h>

#include "switch/port/link.h"

struct port;

#define QUEUE_ANY UINT_MAX

struct port_host {
	struct event_base *base; /* of the control thread */
	/* Returns when no worker is inside any port any more that entered before the call. */
	void (*quiesce)(void *ctx);
	/*
	 * Has the worker that owns this queue of the port, now or later, end its sleep whenever the
	 * descriptor becomes readable (edge-triggered). QUEUE_ANY: every worker. Unwatch before
	 * closing it.
	 */
	int (*watch)(void *ctx, const struct port *port, unsigned queue, int fd);
	void (*unwatch)(void *ctx, int fd);
	/* Ends the workers' sleep, so that they look at every ring again. */
	void (*wake)(void *ctx);
	/*
	 * Has the port's link_changed() called, from the event loop, when network interfaces of
	 * this network namespace come, go or change. Asking twice is asking once.
	 */
	int (*watch_links)(void *ctx, struct port *port);
	void (*unwatch_links)(void *ctx, struct port *port);
	/*
	 * Asks the kernel about the interface that `name` names (or, if it is NULL, that has this
	 * index). -ENODEV: there is none. Anything else is a failure to ask.
	 */
	int (*find_link)(void *ctx, const char *name, int ifindex, struct link_info *out);
	/* Whoever was behind the port is gone: what was learned there is not true any more. */
	void (*forget)(void *ctx, const struct port *port);
	/*
	 * Something happened to a port that its users want to know: logged, and sent to those who
	 * follow `sluicectl events`. `event` is a stable name ("guest-connected"), `detail` a
	 * phrase for people, or NULL.
	 */
	void (*event)(void *ctx, const struct port *port, const char *event, const char *detail);
	/* An eventfd: a worker that writes to it makes the control thread call every port's
	 * service(). */
	int attention_fd;
	void *ctx;
};
