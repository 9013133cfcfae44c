/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The side of JSON-RPC that asks, over a connected stream socket (blocking or not): one request at
 * a time, and the notifications that a server sends after its answer to some of them.
 */

#include <jansson.h>
#include <stddef.h>

#include "lib/err.h"

#define JSON_RPC_TIMEOUT_MS 5000

struct json_rpc_client {
	int fd;       /* borrowed */
	char *buffer; /* what was received: `taken` bytes of lines that are done with, then more */
	size_t size, len, taken;
};

void json_rpc_client_init(struct json_rpc_client *client, int fd);

/* Leaves the socket open. */
void json_rpc_client_free(struct json_rpc_client *client);

/*
 * Sends one request and waits for its response, at most JSON_RPC_TIMEOUT_MS in all. `params` (NULL:
 * none) is borrowed; *result is a new reference. Errors: as json_rpc_decode_response(), -ETIMEDOUT,
 * -ECONNRESET when the peer closed, -EMSGSIZE for a request longer than any server reads.
 */
int json_rpc_client_call(struct json_rpc_client *client, const char *method, const json_t *params,
	json_t **result, struct err *err);

/*
 * Waits, without limit, for the next notification of that method; others are passed over. *params
 * is a new reference to an object. -ECONNRESET when the peer closed, -EPROTO for anything that is
 * not a notification.
 */
int json_rpc_client_next(
	struct json_rpc_client *client, const char *method, json_t **params, struct err *err);

/* One json_rpc_client_call() on a connection that is for nothing else. */
int json_rpc_call(
	int fd, const char *method, const json_t *params, json_t **result, struct err *err);
