/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The control socket: newline-delimited JSON-RPC 2.0 for local clients of our own user or group.
 * Nothing waits for a client: one that sends half a line, or does not read what it asked for, holds
 * up nobody, and is disconnected at a limit.
 *
 * Thread-safety: control thread only.
 */

#include <stdbool.h>

#include <event2/event.h>
#include <jansson.h>

#include "lib/err.h"

/*
 * Carries out one method. Returns its result (a new reference), or NULL with *err set.
 * `params` is an object or NULL.
 */
typedef json_t *(*rpc_method_fn)(void *ctx, const json_t *params, struct err *err);

struct rpc_method {
	const char *name;
	rpc_method_fn call;
	bool follows; /* whoever calls it gets what rpc_server_tell() says from then on */
};

struct rpc_server;

/* `methods` ends with a row without a name, and must outlive the server, as must ctx and path. */
struct rpc_server *rpc_server_new(struct event_base *base, const char *path,
	const struct rpc_method *methods, void *ctx, struct err *err);

/*
 * Sends a notification to all who follow. A follower that does not keep up misses some, and is told
 * how many: {"event": "events-lost", "count": N}. NULL is fine for the server.
 */
void rpc_server_tell(struct rpc_server *s, const char *method, const json_t *params);

/* Disconnects all clients and removes the socket. NULL is fine. */
void rpc_server_free(struct rpc_server *s);
