/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/json_rpc_client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/json_rpc.h"
#include "lib/monotonic.h"

/* A response may hold a full forwarding table (a million rows of about 120 bytes). */
#define RESPONSE_MAX (256 * 1024 * 1024)

#define NO_DEADLINE (-1)

/* What poll() takes: -1 is for ever. */
static int left_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - monotonic_ms();

	if (deadline_ms == NO_DEADLINE)
		return -1;
	return left > 0 ? (int)left : 0;
}

static int wait_for(int fd, short events, int64_t deadline_ms, struct err *err)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int n = poll(&p, 1, left_ms(deadline_ms));

		if (n > 0)
			return 0;
		if (n == 0)
			return err_set(err, -ETIMEDOUT, "no answer within %d s",
				JSON_RPC_TIMEOUT_MS / 1000);
		if (errno != EINTR)
			return err_errno(err, errno, "poll");
	}
}

static int send_all(int fd, const char *text, int64_t deadline_ms, struct err *err)
{
	size_t len = strlen(text);

	if (len > JSON_RPC_LINE_MAX)
		return err_set(
			err, -EMSGSIZE, "the request is longer than %d bytes", JSON_RPC_LINE_MAX);
	while (len > 0) {
		int ret = wait_for(fd, POLLOUT, deadline_ms, err);
		ssize_t n;

		if (ret < 0)
			return ret;
		n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_errno(err, errno, "cannot send");
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Makes room and receives what there is, at least one byte. */
static int receive_more(struct json_rpc_client *c, int64_t deadline_ms, struct err *err)
{
	ssize_t n;

	if (c->len == RESPONSE_MAX)
		return err_set(err, -EMSGSIZE, "the answer is longer than %d bytes", RESPONSE_MAX);
	if (c->len == c->size) {
		size_t size = c->size != 0 ? 2 * c->size : 65536;
		char *bigger = realloc(c->buffer, size);

		if (bigger == NULL)
			return err_errno(err, ENOMEM, "cannot receive");
		c->buffer = bigger;
		c->size = size;
	}
	do {
		int ret = wait_for(c->fd, POLLIN, deadline_ms, err);

		if (ret < 0)
			return ret;
		n = recv(c->fd, c->buffer + c->len, c->size - c->len, MSG_DONTWAIT);
		if (n == 0)
			return err_set(err, -ECONNRESET, "the connection was closed");
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_errno(err, errno, "cannot receive");
	} while (n < 0);
	c->len += (size_t)n;
	return 0;
}

/* The next line, with its newline. *line is valid until the next call. */
static int receive_line(struct json_rpc_client *c, const char **line, size_t *len,
	int64_t deadline_ms, struct err *err)
{
	const char *newline;
	size_t searched = 0;

	c->len -= c->taken;
	if (c->taken > 0)
		memmove(c->buffer, c->buffer + c->taken, c->len);
	c->taken = 0;
	while (searched == c->len ||
		(newline = memchr(c->buffer + searched, '\n', c->len - searched)) == NULL) {
		int ret;

		searched = c->len;
		ret = receive_more(c, deadline_ms, err);
		if (ret < 0)
			return ret;
	}
	*line = c->buffer;
	*len = c->taken = (size_t)(newline - c->buffer) + 1;
	return 0;
}

void json_rpc_client_init(struct json_rpc_client *client, int fd)
{
	*client = (struct json_rpc_client) { .fd = fd };
}

void json_rpc_client_free(struct json_rpc_client *client)
{
	free(client->buffer);
	json_rpc_client_init(client, -1);
}

int json_rpc_client_call(struct json_rpc_client *client, const char *method, const json_t *params,
	json_t **result, struct err *err)
{
	int64_t deadline_ms = monotonic_ms() + JSON_RPC_TIMEOUT_MS;
	cleanup_free char *request = NULL;
	json_t *id = json_integer(1);
	const char *line;
	size_t len;
	int ret;

	request = json_rpc_request_line(id, method, params);
	json_decref(id);
	if (request == NULL)
		return err_errno(err, ENOMEM, "cannot send");
	ret = send_all(client->fd, request, deadline_ms, err);
	if (ret == 0)
		ret = receive_line(client, &line, &len, deadline_ms, err);
	if (ret == 0)
		ret = json_rpc_decode_response(line, len, 1, result, err);
	return ret;
}

/* Positive: it is another method's. */
static int take_notification(const struct json_rpc_request *message, const char *method,
	json_t **params, struct err *err)
{
	if (message->id != NULL)
		return err_set(err, -EPROTO, "a request came where a notification was awaited");
	if (strcmp(message->method, method) != 0)
		return 1;
	*params = message->params != NULL ? json_incref(message->params) : json_object();
	return *params != NULL ? 0 : err_errno(err, ENOMEM, "cannot receive");
}

int json_rpc_client_next(
	struct json_rpc_client *client, const char *method, json_t **params, struct err *err)
{
	int ret;

	do {
		struct json_rpc_request message;
		const char *line;
		size_t len;

		ret = receive_line(client, &line, &len, NO_DEADLINE, err);
		if (ret < 0)
			return ret;
		if (json_rpc_decode(line, len, &message, err) != JSON_RPC_OK)
			ret = err_wrap(err, -EPROTO, "what came is not a notification");
		else
			ret = take_notification(&message, method, params, err);
		json_rpc_request_free(&message);
	} while (ret > 0);
	return ret;
}

int json_rpc_call(
	int fd, const char *method, const json_t *params, json_t **result, struct err *err)
{
	struct json_rpc_client client;
	int ret;

	json_rpc_client_init(&client, fd);
	ret = json_rpc_client_call(&client, method, params, result, err);
	json_rpc_client_free(&client);
	return ret;
}
