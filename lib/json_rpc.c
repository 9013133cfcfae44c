/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/json_rpc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* 2.0 requires the version in every message, as a string. */
static bool has_version(const json_t *root)
{
	const char *version = json_string_value(json_object_get(root, "jsonrpc"));

	return version != NULL && strcmp(version, "2.0") == 0;
}

static enum json_rpc_code check_request(struct json_rpc_request *req, struct err *err)
{
	json_t *id = json_object_get(req->root, "id");

	if (!json_is_object(req->root))
		return err_set(err, JSON_RPC_INVALID_REQUEST,
			"a request is an object (batches are not served)");
	if (id != NULL && !json_is_number(id) && !json_is_string(id))
		return err_set(err, JSON_RPC_INVALID_REQUEST, "id: must be a number or a string");
	req->id = id;
	if (!has_version(req->root))
		return err_set(err, JSON_RPC_INVALID_REQUEST, "jsonrpc: must be \"2.0\"");
	req->method = json_string_value(json_object_get(req->root, "method"));
	if (req->method == NULL)
		return err_set(err, JSON_RPC_INVALID_REQUEST, "method: must be a string");
	req->params = json_object_get(req->root, "params");
	if (req->params != NULL && !json_is_object(req->params))
		return err_set(err, JSON_RPC_INVALID_PARAMS, "params: must be an object");
	return JSON_RPC_OK;
}

enum json_rpc_code json_rpc_decode(
	const char *line, size_t len, struct json_rpc_request *req, struct err *err)
{
	json_error_t why;

	*req = (struct json_rpc_request) { 0 };
	if (len > JSON_RPC_LINE_MAX)
		return err_set(
			err, JSON_RPC_PARSE_ERROR, "longer than %d bytes", JSON_RPC_LINE_MAX);
	req->root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (req->root == NULL)
		return err_set(err, JSON_RPC_PARSE_ERROR, "byte %d: %s", why.position, why.text);
	return check_request(req, err);
}

void json_rpc_request_free(struct json_rpc_request *req)
{
	json_decref(req->root);
	*req = (struct json_rpc_request) { 0 };
}

/* Takes `message` over, which may be NULL. */
static char *dump_line(json_t *message)
{
	char *text = message != NULL ? json_dumps(message, JSON_COMPACT) : NULL;
	char *line = NULL;

	if (text != NULL) {
		size_t len = strlen(text);

		line = realloc(text, len + 2);
		if (line == NULL)
			free(text);
		else
			memcpy(line + len, "\n", 2);
	}
	json_decref(message);
	return line;
}

/* The values are borrowed by our callers' contract; jansson counts references in them all the
 * same, hence the casts. */
static json_t *id_or_null(const json_t *id)
{
	return id != NULL ? json_incref((json_t *)id) : json_null();
}

char *json_rpc_result_line(const json_t *id, const json_t *result)
{
	return dump_line(json_pack("{s:s, s:o, s:O}", "jsonrpc", "2.0", "id", id_or_null(id),
		"result", (json_t *)result));
}

char *json_rpc_error_line(const json_t *id, enum json_rpc_code code, const char *message)
{
	json_t *text = json_string(message);

	/* A message that quotes a peer's bytes need not be UTF-8. */
	if (text == NULL)
		text = json_string("error (its text is not valid UTF-8)");
	return dump_line(json_pack("{s:s, s:o, s:{s:i, s:o}}", "jsonrpc", "2.0", "id",
		id_or_null(id), "error", "code", (int)code, "message", text));
}

char *json_rpc_request_line(const json_t *id, const char *method, const json_t *params)
{
	return dump_line(json_pack("{s:s, s:O*, s:s, s:O*}", "jsonrpc", "2.0", "id", (json_t *)id,
		"method", method, "params", (json_t *)params));
}

int json_rpc_decode_response(
	const char *line, size_t len, json_int_t id, json_t **result, struct err *err)
{
	json_error_t why;
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	json_t *value = json_object_get(root, "result");
	json_t *error = json_object_get(root, "error");
	json_t *echo = json_object_get(root, "id");
	int ret;

	if (root == NULL)
		ret = err_set(err, -EPROTO, "the answer is not JSON: %s", why.text);
	else if (!has_version(root) || (value == NULL) == (error == NULL))
		ret = err_set(err, -EPROTO, "the answer is not a JSON-RPC 2.0 response");
	else if (error != NULL && json_string_value(json_object_get(error, "message")) != NULL)
		ret = err_set(err, -EREMOTEIO, "%s",
			json_string_value(json_object_get(error, "message")));
	else if (value == NULL || !json_is_integer(echo) || json_integer_value(echo) != id)
		ret = err_set(err, -EPROTO, "the answer does not belong to the request");
	else
		ret = 0;
	if (ret == 0)
		*result = json_incref(value);
	json_decref(root);
	return ret;
}
