/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/json_rpc.h"
#include "lib/json_rpc_client.h"

#define HEAD "{\"jsonrpc\":\"2.0\","

static void test_decode_good(void **state)
{
	static const char with_params[] =
		HEAD "\"id\":\"a\",\"method\":\"port.show\",\"params\":{\"name\":\"vm0\"}}\n";
	static const char notification[] = HEAD "\"method\":\"x\"}";
	struct json_rpc_request req;
	struct err err = { 0 };

	assert_int_equal(json_rpc_decode(with_params, strlen(with_params), &req, &err), 0);
	assert_string_equal(req.method, "port.show");
	assert_string_equal(json_string_value(req.id), "a");
	assert_string_equal(json_string_value(json_object_get(req.params, "name")), "vm0");
	json_rpc_request_free(&req);
	json_rpc_request_free(&req);

	assert_int_equal(json_rpc_decode(notification, strlen(notification), &req, &err), 0);
	assert_null(req.id);
	assert_null(req.params);
	json_rpc_request_free(&req);
}

static void test_decode_bad(void **state)
{
	static const struct {
		const char *line;
		enum json_rpc_code code;
		const char *text; /* must be in the message */
	} rows[] = {
		{ "", JSON_RPC_PARSE_ERROR, "" },
		{ "\n", JSON_RPC_PARSE_ERROR, "" },
		{ "{", JSON_RPC_PARSE_ERROR, "" },
		{ "{} {}", JSON_RPC_PARSE_ERROR, "end of file expected" },
		{ "{\"id\":1,\"id\":2}", JSON_RPC_PARSE_ERROR, "duplicate" },
		{ "[" HEAD "\"id\":1,\"method\":\"x\"}]", JSON_RPC_INVALID_REQUEST, "batches" },
		{ "{\"id\":1,\"method\":\"x\"}", JSON_RPC_INVALID_REQUEST, "jsonrpc" },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x\"}", JSON_RPC_INVALID_REQUEST,
			"jsonrpc" },
		{ "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"x\"}", JSON_RPC_INVALID_REQUEST,
			"jsonrpc" },
		{ HEAD "\"id\":1}", JSON_RPC_INVALID_REQUEST, "method" },
		{ HEAD "\"id\":1,\"method\":7}", JSON_RPC_INVALID_REQUEST, "method" },
		{ HEAD "\"id\":null,\"method\":\"x\"}", JSON_RPC_INVALID_REQUEST, "id" },
		{ HEAD "\"id\":{},\"method\":\"x\"}", JSON_RPC_INVALID_REQUEST, "id" },
		{ HEAD "\"id\":true,\"method\":\"x\"}", JSON_RPC_INVALID_REQUEST, "id" },
		{ HEAD "\"id\":1,\"method\":\"x\",\"params\":[]}", JSON_RPC_INVALID_PARAMS,
			"params" },
		{ HEAD "\"id\":1,\"method\":\"x\",\"params\":null}", JSON_RPC_INVALID_PARAMS,
			"params" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_rpc_request req;
		struct err err = { 0 };

		assert_int_equal(json_rpc_decode(rows[i].line, strlen(rows[i].line), &req, &err),
			rows[i].code);
		assert_non_null(strstr(err.text, rows[i].text));
		assert_true(err.text[0] != '\0');
		json_rpc_request_free(&req);
	}
}

static void test_decode_keeps_id_of_bad_request(void **state)
{
	static const char line[] = HEAD "\"id\":7,\"method\":\"x\",\"params\":3}";
	struct json_rpc_request req;

	assert_int_equal(json_rpc_decode(line, strlen(line), &req, NULL), JSON_RPC_INVALID_PARAMS);
	assert_int_equal(json_integer_value(req.id), 7);
	json_rpc_request_free(&req);
}

static void test_decode_line_limit(void **state)
{
	char *line = malloc(JSON_RPC_LINE_MAX + 1);
	struct json_rpc_request req;

	memset(line, ' ', JSON_RPC_LINE_MAX + 1);
	memcpy(line, HEAD "\"method\":\"x\"}", strlen(HEAD "\"method\":\"x\"}"));
	assert_int_equal(json_rpc_decode(line, JSON_RPC_LINE_MAX, &req, NULL), JSON_RPC_OK);
	json_rpc_request_free(&req);
	assert_int_equal(
		json_rpc_decode(line, JSON_RPC_LINE_MAX + 1, &req, NULL), JSON_RPC_PARSE_ERROR);
	json_rpc_request_free(&req);
	free(line);
}

static void test_lines(void **state)
{
	json_t *id = json_string("a\nb");
	json_t *result = json_pack("[i]", 1);
	json_t *params = json_pack("{s:s}", "name", "vm0");
	char *line;

	line = json_rpc_result_line(id, result);
	assert_string_equal(line, HEAD "\"id\":\"a\\nb\",\"result\":[1]}\n");
	free(line);
	line = json_rpc_error_line(NULL, JSON_RPC_METHOD_NOT_FOUND, "no \"x\"");
	assert_string_equal(line,
		HEAD "\"id\":null,\"error\":{\"code\":-32601,\"message\":\"no \\\"x\\\"\"}}\n");
	free(line);
	line = json_rpc_error_line(NULL, JSON_RPC_FAILED, "\xff");
	assert_non_null(line);
	free(line);
	line = json_rpc_request_line(NULL, "x", NULL);
	assert_string_equal(line, HEAD "\"method\":\"x\"}\n");
	free(line);
	line = json_rpc_request_line(id, "x", params);
	assert_string_equal(
		line, HEAD "\"id\":\"a\\nb\",\"method\":\"x\",\"params\":{\"name\":\"vm0\"}}\n");
	free(line);
	/* What was lent is still ours. */
	assert_int_equal(id->refcount, 1);
	assert_int_equal(result->refcount, 1);
	assert_int_equal(params->refcount, 1);
	json_decref(id);
	json_decref(result);
	json_decref(params);
}

static void test_decode_response(void **state)
{
	static const struct {
		const char *line;
		int ret;
		const char *text;
	} rows[] = {
		{ HEAD "\"id\":1,\"result\":[]}", 0, "" },
		{ HEAD "\"id\":2,\"result\":[]}", -EPROTO, "belong" },
		{ HEAD "\"id\":\"1\",\"result\":[]}", -EPROTO, "belong" },
		{ HEAD "\"id\":1,\"error\":{\"code\":-1,\"message\":\"no port\"}}", -EREMOTEIO,
			"no port" },
		{ HEAD "\"id\":null,\"error\":{\"code\":-32700,\"message\":\"what\"}}", -EREMOTEIO,
			"what" },
		{ HEAD "\"id\":1,\"error\":{}}", -EPROTO, "" },
		{ HEAD "\"id\":1,\"error\":{},\"result\":1}", -EPROTO, "" },
		{ HEAD "\"id\":1}", -EPROTO, "" },
		{ "{\"id\":1,\"result\":[]}", -EPROTO, "" },
		{ "[]", -EPROTO, "" },
		{ "hello", -EPROTO, "not JSON" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *result = NULL;
		struct err err = { 0 };

		assert_int_equal(json_rpc_decode_response(
					 rows[i].line, strlen(rows[i].line), 1, &result, &err),
			rows[i].ret);
		assert_int_equal(result != NULL, rows[i].ret == 0);
		assert_non_null(strstr(err.text, rows[i].text));
		json_decref(result);
	}
}

/* A peer that reads one request line and then writes `pieces`, one send each. */
struct peer {
	int fd;
	const char *const *pieces;
	size_t n_repeat; /* the first piece is sent so many times */
	char request[256];
};

static void *peer_run(void *arg)
{
	struct peer *peer = arg;
	size_t len = 0;

	while (len < sizeof(peer->request) - 1 && memchr(peer->request, '\n', len) == NULL) {
		ssize_t n = recv(peer->fd, peer->request + len, sizeof(peer->request) - 1 - len, 0);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	for (size_t i = 0; peer->pieces[i] != NULL; i++) {
		for (size_t k = 0; k < (i == 0 ? peer->n_repeat : 1); k++)
			(void)!send(
				peer->fd, peer->pieces[i], strlen(peer->pieces[i]), MSG_NOSIGNAL);
	}
	shutdown(peer->fd, SHUT_WR);
	return NULL;
}

static int call(const char *const *pieces, size_t n_repeat, json_t **result, struct err *err)
{
	struct peer peer = { .pieces = pieces, .n_repeat = n_repeat };
	pthread_t thread;
	int pair[2];
	int ret;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer.fd = pair[1];
	assert_int_equal(pthread_create(&thread, NULL, peer_run, &peer), 0);
	ret = json_rpc_call(pair[0], "version", NULL, result, err);
	close(pair[0]);
	pthread_join(thread, NULL);
	close(pair[1]);
	assert_string_equal(peer.request, HEAD "\"id\":1,\"method\":\"version\"}\n");
	return ret;
}

static void test_call(void **state)
{
	static const char *const good[] = { HEAD, "\"id\":1,\"res", "ult\":[7]}\nrest", NULL };
	static const char *const bad[] = {
		HEAD "\"id\":1,\"error\":{\"code\":-32000,\"message\":\"no\"}}\n", NULL
	};
	static const char *const closed[] = { HEAD, NULL };
	json_t *result = NULL;
	struct err err = { 0 };

	assert_int_equal(call(good, 1, &result, &err), 0);
	assert_int_equal(json_integer_value(json_array_get(result, 0)), 7);
	json_decref(result);
	assert_int_equal(call(bad, 1, &result, &err), -EREMOTEIO);
	assert_string_equal(err.text, "no");
	assert_int_equal(call(closed, 1, &result, &err), -ECONNRESET);
}

/* An answer may be longer than the longest request and arrives in many reads. */
static void test_call_long_answer(void **state)
{
	static char block[65536 + 1];
	static const char *const pieces[] = { block, HEAD "\"id\":1,\"result\":[]}\n", NULL };
	json_t *result = NULL;
	struct err err = { 0 };

	memset(block, ' ', sizeof(block) - 1);
	assert_int_equal(call(pieces, 50, &result, &err), 0);
	assert_true(json_is_array(result));
	json_decref(result);
}

static void test_call_timeout(void **state)
{
	json_t *result = NULL;
	struct err err = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(json_rpc_call(pair[0], "version", NULL, &result, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "no answer within 5 s");
	assert_null(result);
	close(pair[0]);
	close(pair[1]);
}

/* A client whose peer sends `text` and closes. */
static int make_client(struct json_rpc_client *client, const char *text)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(send(pair[1], text, strlen(text), 0), strlen(text));
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	json_rpc_client_init(client, pair[0]);
	return pair[1];
}

static void free_client(struct json_rpc_client *client, int peer)
{
	close(client->fd);
	close(peer);
	json_rpc_client_free(client);
}

#define EVENT HEAD "\"method\":\"event\",\"params\":"

/* What came with the answer is not lost, and the end is told from an event. */
static void test_notifications(void **state)
{
	static const char text[] = HEAD "\"id\":1,\"result\":[]}\n" EVENT "{\"n\":1}}\n" HEAD
					"\"method\":\"other\",\"params\":{}}\n" HEAD
					"\"method\":\"event\"}\n" EVENT "{\"n\":2}}\n" EVENT;
	static const int expected[] = { 1, 0, 2 };
	struct json_rpc_client client;
	int peer = make_client(&client, text);
	json_t *params = NULL;
	struct err err = { 0 };

	assert_int_equal(json_rpc_client_call(&client, "events", NULL, &params, &err), 0);
	json_decref(params);
	for (size_t n = 0; n < 3; n++) {
		assert_int_equal(json_rpc_client_next(&client, "event", &params, &err), 0);
		assert_int_equal(json_integer_value(json_object_get(params, "n")), expected[n]);
		json_decref(params);
	}
	assert_int_equal(json_rpc_client_next(&client, "event", &params, &err), -ECONNRESET);
	free_client(&client, peer);
}

static void test_notifications_bad(void **state)
{
	static const struct {
		const char *line, *text;
	} rows[] = {
		{ HEAD "\"id\":1,\"method\":\"event\"}\n",
			"a request came where a notification was awaited" },
		{ HEAD "\"id\":1,\"result\":[]}\n",
			"what came is not a notification: method: must be a string" },
		{ EVENT "[]}\n", "what came is not a notification: params: must be an object" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_rpc_client client;
		int peer = make_client(&client, rows[i].line);
		json_t *params = NULL;
		struct err err = { 0 };

		assert_int_equal(json_rpc_client_next(&client, "event", &params, &err), -EPROTO);
		assert_string_equal(err.text, rows[i].text);
		assert_null(params);
		free_client(&client, peer);
	}
}

static void test_request_too_long(void **state)
{
	char *text = calloc(1, JSON_RPC_LINE_MAX + 1);
	json_t *params, *result = NULL;
	struct json_rpc_client client;
	struct err err = { 0 };
	int peer;

	memset(text, 'x', JSON_RPC_LINE_MAX);
	params = json_pack("{s:s}", "text", text);
	peer = make_client(&client, "");
	assert_int_equal(
		json_rpc_client_call(&client, "version", params, &result, &err), -EMSGSIZE);
	assert_string_equal(err.text, "the request is longer than 1048576 bytes");
	free_client(&client, peer);
	json_decref(params);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode_good),
		cmocka_unit_test(test_decode_bad),
		cmocka_unit_test(test_decode_keeps_id_of_bad_request),
		cmocka_unit_test(test_decode_line_limit),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_decode_response),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_call_long_answer),
		cmocka_unit_test(test_call_timeout),
		cmocka_unit_test(test_notifications),
		cmocka_unit_test(test_notifications_bad),
		cmocka_unit_test(test_request_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
