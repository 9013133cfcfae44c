/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What the control plane gives to ports: an event loop to live in, a way to make the workers
 * look away, and a way to be woken up by them. Ports know nothing else about their surroundings.
 */

#include <event2/event.h>

struct port_host {
	struct event_base *base; /* of the control thread */
	/* Returns when no worker is inside any port any more that entered before the call. */
	void (*quiesce)(void *ctx);
	/* Adds or removes a descriptor whose readiness ends a worker's sleep (edge-triggered). */
	int (*watch)(void *ctx, int fd);
	void (*unwatch)(void *ctx, int fd);
	/* Ends the workers' sleep, so that they look at every ring again. */
	void (*wake)(void *ctx);
	/* An eventfd: a worker that writes to it makes the control thread call every port's
	 * service(). */
	int attention_fd;
	void *ctx;
};
