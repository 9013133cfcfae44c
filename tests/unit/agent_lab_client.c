/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent_lab.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "lib/monotonic.h"
#include "lib/unix_socket.h"

#define AWAIT_MS   180000
#define PIECE_SIZE 65536

uint8_t lab_byte(uint64_t offset)
{
	/* Neighbours differ, and so do bytes that are a buffer's length apart. */
	return (uint8_t)((offset * 0x9e3779b97f4a7c15ULL) >> 56);
}

void lab_add_bytes(struct evbuffer *to, uint64_t offset, size_t len)
{
	uint8_t *bytes = malloc(len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = lab_byte(offset + i);
	evbuffer_add(to, bytes, len);
	free(bytes);
}

void client_open(struct lab_client *client, const struct lab *lab)
{
	char path[128];
	struct err err = { "" };

	*client = (struct lab_client) { .fd = -1 };
	snprintf(path, sizeof(path), "%s/agent", lab->directory);
	client->fd = unix_connect(path, &err);
	if (client->fd < 0)
		fail_msg("%s", err.text);
	client->in = evbuffer_new();
	client->out = evbuffer_new();
	client->stdin_data = evbuffer_new();
	client->outputs[0] = evbuffer_new();
	client->outputs[1] = evbuffer_new();
	agent_wire_put_hello(client->out);
}

void client_close(struct lab_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	evbuffer_free(client->in);
	evbuffer_free(client->out);
	evbuffer_free(client->stdin_data);
	evbuffer_free(client->outputs[0]);
	evbuffer_free(client->outputs[1]);
	free(client->copies[0]);
	free(client->copies[1]);
	free(client->text);
	*client = (struct lab_client) { .fd = -1 };
}

/* --- what comes ------------------------------------------------------------------------------- */

static void check_bytes(struct lab_client *client, int stream, uint32_t len)
{
	const uint8_t *bytes = evbuffer_pullup(client->in, len);

	for (uint32_t i = 0; i < len; i++)
		if (bytes[i] != client->expected(client->n_outputs[stream] + i))
			fail_msg("byte %llu is wrong",
				(unsigned long long)(client->n_outputs[stream] + i));
	evbuffer_drain(client->in, len);
}

static void take_output(struct lab_client *client, int stream, uint32_t len)
{
	if (client->expected != NULL)
		check_bytes(client, stream, len);
	else
		evbuffer_remove_buffer(client->in, client->outputs[stream], len);
	client->n_outputs[stream] += len;
}

static void take_text(struct lab_client *client, uint32_t len)
{
	client->text = calloc(1, len + 1);
	evbuffer_remove(client->in, client->text, len);
}

static void take_frame(struct lab_client *client, enum agent_wire_type type, uint32_t len)
{
	struct evbuffer *in = client->in;
	struct err err = { "" };
	uint32_t more = 0;
	int ret = 0;

	/* Behind these comes nothing. */
	assert_false(client->has_exit || client->has_error || client->has_status);
	switch (type) {
	case AGENT_HELLO:
		ret = agent_wire_get_hello(in, len, &err);
		break;
	case AGENT_STARTED:
		client->has_started = true;
		ret = agent_wire_get_u32(in, len, &client->pid);
		break;
	case AGENT_ATTACHED:
		client->has_attached = true;
		ret = agent_wire_get_attached(in, len, &client->attached);
		client->n_outputs[0] = client->attached.n_stdout;
		client->n_outputs[1] = client->attached.n_stderr;
		break;
	case AGENT_STDIN_CREDIT:
		ret = agent_wire_get_u32(in, len, &more);
		client->credit += more;
		break;
	case AGENT_STDOUT:
	case AGENT_STDERR:
		assert_true(client->has_started || client->has_attached);
		take_output(client, type == AGENT_STDERR, len);
		break;
	case AGENT_EXIT:
		client->has_exit = true;
		ret = agent_wire_get_exit(in, len, &client->ex);
		break;
	case AGENT_ERROR:
		client->has_error = true;
		ret = agent_wire_get_error(in, len, &client->error_status, &client->text);
		break;
	case AGENT_STATUS:
		client->has_status = true;
		take_text(client, len);
		break;
	default:
		fail_msg("%s came", agent_wire_name(type));
	}
	assert_int_equal(ret, 0);
}

static void receive(struct lab_client *client)
{
	int n = evbuffer_read(client->in, client->fd, PIECE_SIZE);
	struct err err = { "" };
	enum agent_wire_type type;
	uint32_t len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		client->has_ended = true;
	while ((n = agent_wire_next(client->in, AGENT_WIRE_CLIENT, &type, &len, &err)) > 0)
		take_frame(client, type, len);
	if (n < 0)
		fail_msg("%s", err.text);
}

/* --- what goes -------------------------------------------------------------------------------- */

static void put_stdin(struct lab_client *client)
{
	size_t len = evbuffer_get_length(client->stdin_data);

	if (!client->has_started && !client->has_attached)
		return;
	if (len > client->credit)
		len = client->credit;
	if (len > PIECE_SIZE)
		len = PIECE_SIZE;
	if (len > 0 && evbuffer_get_length(client->out) < PIECE_SIZE) {
		agent_wire_put_buffer(client->out, AGENT_STDIN, client->stdin_data, len);
		client->credit -= (uint32_t)len;
	}
	if (client->closes_stdin && evbuffer_get_length(client->stdin_data) == 0) {
		agent_wire_put(client->out, AGENT_STDIN_CLOSE, NULL, 0);
		client->closes_stdin = false;
	}
}

/* One turn; false: nothing happened for `ms`. */
static bool turn(struct lab_client *client, int ms)
{
	struct pollfd p = { .fd = client->fd, .events = POLLIN };

	put_stdin(client);
	if (evbuffer_get_length(client->out) > 0)
		p.events |= POLLOUT;
	if (poll(&p, 1, ms) <= 0)
		return false;
	if (evbuffer_get_length(client->out) > 0 && (p.revents & POLLOUT) != 0 &&
		evbuffer_write(client->out, client->fd) < 0 && errno != EAGAIN)
		evbuffer_drain(client->out, evbuffer_get_length(client->out));
	if ((p.revents & (POLLIN | POLLHUP)) != 0)
		receive(client);
	return true;
}

void client_send(struct lab_client *client)
{
	while (evbuffer_get_length(client->out) > 0)
		assert_true(turn(client, AWAIT_MS));
}

void client_await(struct lab_client *client, const bool *flag)
{
	int64_t end = monotonic_ms() + AWAIT_MS;

	while (!*flag && !client->has_ended) {
		turn(client, 100);
		if (monotonic_ms() > end)
			fail_msg("nothing came; stdout: %s; stderr: %s", client_text(client, 0),
				client_text(client, 1));
	}
}

static void await_text(struct lab_client *client, int stream, const char *text)
{
	int64_t end = monotonic_ms() + AWAIT_MS;

	while (strstr(client_text(client, stream), text) == NULL) {
		turn(client, 100);
		if (monotonic_ms() > end || client->has_ended)
			fail_msg("\"%s\" did not come, but: %s", text, client_text(client, stream));
	}
}

void client_await_text(struct lab_client *client, const char *text)
{
	await_text(client, 0, text);
}

void client_await_error(struct lab_client *client, const char *text)
{
	await_text(client, 1, text);
}

void client_await_output(struct lab_client *client, uint64_t n)
{
	int64_t end = monotonic_ms() + AWAIT_MS;

	while (client->n_outputs[0] < n && !client->has_ended) {
		turn(client, 100);
		if (monotonic_ms() > end)
			fail_msg("%llu bytes of stdout have come, not %llu",
				(unsigned long long)client->n_outputs[0], (unsigned long long)n);
	}
}

void client_await_sent(struct lab_client *client)
{
	int64_t end = monotonic_ms() + AWAIT_MS;

	while (evbuffer_get_length(client->stdin_data) > 0 ||
		evbuffer_get_length(client->out) > 0) {
		turn(client, 100);
		if (monotonic_ms() > end || client->has_ended)
			fail_msg("%zu bytes of stdin cannot be sent",
				evbuffer_get_length(client->stdin_data));
	}
}

void client_await_full(struct lab_client *client)
{
	int64_t end = monotonic_ms() + AWAIT_MS;

	do {
		client_settle(client, 300);
		if (monotonic_ms() > end || client->has_ended)
			fail_msg("there is still credit: %u bytes", (unsigned)client->credit);
	} while (client->credit > 0 || evbuffer_get_length(client->out) > 0);
}

void client_settle(struct lab_client *client, int ms)
{
	while (!client->has_ended && turn(client, ms))
		;
}

bool client_hears(struct lab_client *client, int ms)
{
	struct pollfd p = { .fd = client->fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

static void put_strings(struct lab_client *client, enum agent_wire_type type, const char **strings)
{
	assert_int_equal(agent_wire_put_strings(client->out, type, (char *const *)strings), 0);
}

void client_exec(struct lab_client *client, const char *spec, const char **argv, const char **env)
{
	assert_int_equal(agent_wire_put(client->out, AGENT_START, spec, strlen(spec)), 0);
	put_strings(client, AGENT_ARGV, argv);
	put_strings(client, AGENT_ENV, env != NULL ? env : words("PATH=/bin"));
}

void client_attach(struct lab_client *client, uint64_t n_stdout, uint64_t n_stderr)
{
	const struct agent_offsets from = { .n_stdout = n_stdout, .n_stderr = n_stderr };

	assert_int_equal(agent_wire_put_offsets(client->out, AGENT_ATTACH, &from), 0);
	client_await(client, &client->has_attached);
}

void client_acknowledge(struct lab_client *client)
{
	const struct agent_offsets upto = {
		.n_stdout = client->n_outputs[0],
		.n_stderr = client->n_outputs[1],
	};

	assert_int_equal(agent_wire_put_offsets(client->out, AGENT_OUTPUT_ACK, &upto), 0);
}

void client_signal(struct lab_client *client, int signo)
{
	assert_int_equal(agent_wire_put_u32(client->out, AGENT_SIGNAL, (uint32_t)signo), 0);
	client_send(client);
}

void client_run(struct lab_client *client, const struct lab *lab, const char *script)
{
	client_open(client, lab);
	client->closes_stdin = true;
	client_exec(client, "{}", words("sh", "-c", script), NULL);
	client_await(client, &client->has_ended);
	if (client->has_error)
		fail_msg("%s", client->text);
}

const char *client_text(struct lab_client *client, int stream)
{
	size_t len = evbuffer_get_length(client->outputs[stream]);

	free(client->copies[stream]);
	client->copies[stream] = calloc(1, len + 1);
	evbuffer_copyout(client->outputs[stream], client->copies[stream], len);
	return client->copies[stream];
}

void client_check_exit(const struct lab_client *client, uint32_t code)
{
	assert_true(client->has_exit);
	assert_false(client->ex.signalled);
	assert_int_equal(client->ex.value, code);
}
