/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A client's connection: frames in, frames out.
 *
 * It is read always, which is why there is credit for STDIN. Output is written at once as far as
 * that goes and else when it can be; whoever makes it asks client_has_room() before.
 *
 * A connection is ended in order: what was put is written, then our end is shut down, and the
 * client has some time to do so with its own. A socket closed with bytes unread may lose, on its
 * way, those that it has sent.
 *
 * The client is freed by the event loop alone, never by a call from here or from a role.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/agent_wire.h"
#include "lib/err.h"

#define CLIENT_OUTPUT_MAX (256U << 10)

struct client;
struct event_base;
struct evbuffer;

/* What a connection is used for. */
struct client_role {
	/* A frame behind HELLO: takes its payload. Negative: the connection ends, as it does if it
	 * leaves some of the payload; *err is logged. */
	int (*frame)(void *arg, struct client *client, enum agent_wire_type type,
		struct evbuffer *in, uint32_t len, struct err *err);
	/* There is room again. */
	void (*room)(void *arg);
	/* The connection has ended, on whose account whatever. The last call. */
	void (*gone)(void *arg);
};

struct client_list {
	LIST_HEAD(, client) clients;
	unsigned n;
};

/* Takes the connection `fd` in any case. The role is of the connection until client_set_role() says
 * otherwise. */
int client_new(struct event_base *loop, struct client_list *list, int fd,
	const struct client_role *role, void *arg);

void client_set_role(struct client *client, const struct client_role *role, void *arg);

/* Where frames are put; then client_push(). */
struct evbuffer *client_output(struct client *client);
bool client_has_room(const struct client *client);
void client_push(struct client *client);

/* The same behind one agent_wire_put_..., which returned `ret`: a connection that a frame could not
 * be put on is broken. */
void client_put(struct client *client, int ret);

/* How long a client may take to read the last frame and to close its end. */
enum client_patience {
	CLIENT_SOON, /* some seconds */
	CLIENT_EVER, /* it hands on a process's output, perhaps to somebody who is slow */
};

/*
 * Ends the connection in order: the role hears no more of it. `closed` (may be NULL) is told when
 * the client has closed its end, and so has seen the last frame (`in_order`), or when it has broken
 * or taken too long.
 */
void client_finish(struct client *client, enum client_patience patience,
	void (*closed)(void *arg, bool in_order), void *arg);

/* The same behind an ERROR. */
void client_refuse(struct client *client, uint32_t status, const char *text);

/* At once: its role hears that it is gone, nobody else is told. Not from a call of its role. */
void client_drop(struct client *client);
