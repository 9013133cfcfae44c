/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Listens on ports of ours, and connects each connection that is made there to a port of the guest
 * (guest_dial.h, stream_pair.h).
 *
 * Thread-safety: of one thread and its event loop.
 */

#include <stdint.h>

#include "lib/err.h"
#include "lib/ip_addr.h"

struct event_base;
struct forwarder;
struct forwarder_port;

struct forwarder_owner {
	/* A connection was closed again, because of *why. */
	void (*refused)(void *owner, uint16_t local, uint16_t remote, const struct err *why);
	void *owner;
};

/* `vsock` is the VM's socket, and stays the caller's. NULL: no memory. */
struct forwarder *forwarder_new(
	struct event_base *loop, const char *vsock, const struct forwarder_owner *owner);

/* *local is what was asked for, or if that is 0 a free port, when this returns 0. -EADDRINUSE ...
 */
int forwarder_listen(struct forwarder *f, const struct ip_addr *address, uint16_t *local,
	uint16_t remote, struct err *err);

/* Listens on a port of ours that is, on the same address, the guest's: one that it has bound. Only
 * for what comes over the loopback interface, as all does that is from here, whichever of our
 * addresses it is to; to others it is as if nobody were there. */
int forwarder_mirror(struct forwarder *f, const struct ip_addr *address, uint16_t port,
	struct forwarder_port **out, struct err *err);

/* Listens there no more. Its connections go on. */
void forwarder_close(struct forwarder_port *port);

/* More connections than that at a time are refused. Without it there is no limit. */
void forwarder_limit(struct forwarder *f, unsigned n_conns_max);

unsigned forwarder_count(const struct forwarder *f);

/* Ends all that there is. May be NULL. */
void forwarder_free(struct forwarder *f);
