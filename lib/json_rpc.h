/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * JSON-RPC 2.0 (https://www.jsonrpc.org/specification), one message a line. Narrower than the
 * specification where that costs nobody anything: parameters are by name, an id is a number or a
 * string, there are no batches, and an object that has a key twice is refused.
 *
 * These are pure functions on bytes and JSON values; whoever owns the connection reads and writes
 * the lines. json_rpc_client.h does that for who asks.
 */

#include <jansson.h>
#include <stddef.h>

#include "lib/err.h"

/* The longest request line a server reads, newline included; more is the end of the connection. */
#define JSON_RPC_LINE_MAX (1024 * 1024)

/* The specification's error codes; the code of a method's own failure is JSON_RPC_FAILED. */
enum json_rpc_code {
	JSON_RPC_OK = 0,
	JSON_RPC_PARSE_ERROR = -32700,
	JSON_RPC_INVALID_REQUEST = -32600,
	JSON_RPC_METHOD_NOT_FOUND = -32601,
	JSON_RPC_INVALID_PARAMS = -32602,
	JSON_RPC_FAILED = -32000,
};

struct json_rpc_request {
	json_t *root;       /* owns all that the others point to */
	const char *method; /* never NULL after success */
	json_t *params;     /* an object, or NULL when there was none */
	json_t *id;         /* NULL: a notification, which is not answered */
};

/*
 * Decodes one line (`len` bytes, with or without the newline). On success returns JSON_RPC_OK. On
 * failure returns the code to answer with, with the reason in *err; req->id is then set if one
 * could be told. Call json_rpc_request_free() in either case.
 */
enum json_rpc_code json_rpc_decode(
	const char *line, size_t len, struct json_rpc_request *req, struct err *err);

void json_rpc_request_free(struct json_rpc_request *req);

/*
 * Build one line with its newline, to be freed by the caller; NULL when memory is short. `id`
 * (NULL: null, and in a request none at all: a notification), `result` and `params` (NULL: none)
 * are borrowed.
 */
char *json_rpc_result_line(const json_t *id, const json_t *result);
char *json_rpc_error_line(const json_t *id, enum json_rpc_code code, const char *message);
char *json_rpc_request_line(const json_t *id, const char *method, const json_t *params);

/*
 * Decodes a response to the request with integer `id`. Returns 0 and a new reference in *result;
 * -EREMOTEIO when it is an error response, whose message is then in *err; -EPROTO when it is
 * neither.
 */
int json_rpc_decode_response(
	const char *line, size_t len, json_int_t id, json_t **result, struct err *err);
