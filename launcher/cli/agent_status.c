/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cli/agent_status.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "launcher/exec/exec_client.h"
#include "lib/agent_wire.h"
#include "lib/cleanup.h"
#include "lib/monotonic.h"

#define READ_MAX 65536

/* --- asking ---------------------------------------------------------------------------------- */

static int decode(struct evbuffer *in, uint32_t len, json_t **status, struct err *err)
{
	const char *text = len > 0 ? (const char *)evbuffer_pullup(in, len) : "";
	json_t *json = text != NULL ? json_loadb(text, len, 0, NULL) : NULL;

	evbuffer_drain(in, len);
	if (!json_is_object(json)) {
		json_decref(json);
		return err_set(err, -EPROTO, "the agent's status is no JSON object");
	}
	*status = json;
	return 1;
}

static int take_hello(
	struct evbuffer *in, uint32_t len, struct evbuffer *out, bool *greeted, struct err *err)
{
	int ret = *greeted ? err_set(err, -EPROTO, "the agent said HELLO twice")
			   : agent_wire_get_hello(in, len, err);

	if (ret == 0)
		ret = agent_wire_put(out, AGENT_STATUS, NULL, 0);
	*greeted = true;
	return ret;
}

int agent_status_take(
	struct evbuffer *in, struct evbuffer *out, bool *greeted, json_t **status, struct err *err)
{
	enum agent_wire_type type;
	uint32_t len;
	int ret;

	while ((ret = agent_wire_next(in, AGENT_WIRE_CLIENT, &type, &len, err)) > 0) {
		if (type == AGENT_STATUS && *greeted)
			return decode(in, len, status, err);
		if (type != AGENT_HELLO)
			return err_set(err, -EPROTO, "the agent said %s when asked for its status",
				agent_wire_name(type));
		ret = take_hello(in, len, out, greeted, err);
		if (ret < 0)
			return ret;
	}
	return ret;
}

static int say(int fd, struct evbuffer *out)
{
	size_t len = evbuffer_get_length(out);
	ssize_t n = send(fd, evbuffer_pullup(out, -1), len, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	evbuffer_drain(out, (size_t)n);
	return 0;
}

/* Says what is in `out`, and waits for what comes. */
static int turn(
	int fd, struct evbuffer *in, struct evbuffer *out, int64_t deadline, struct err *err)
{
	bool says = evbuffer_get_length(out) > 0;
	struct pollfd p = { .fd = fd, .events = (short)(says ? POLLIN | POLLOUT : POLLIN) };
	int64_t left = deadline - monotonic_ms();
	int n = poll(&p, 1, left > 0 ? (int)left : 0);

	if (n == 0 || left <= 0)
		return err_set(err, -ETIMEDOUT, "the agent did not answer in time");
	if (n < 0)
		return errno == EINTR ? 0 : err_errno(err, errno, "poll");
	n = (p.revents & POLLOUT) != 0 ? say(fd, out) : 0;
	if (n < 0)
		return err_errno(err, -n, "cannot ask the agent");
	if ((p.revents & ~POLLOUT) == 0)
		return 0;
	n = evbuffer_read(in, fd, READ_MAX);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return err_set(err, -ECONNRESET, "the agent's end was closed");
	return 0;
}

static int ask(int fd, int64_t deadline, json_t **status, struct err *err)
{
	struct evbuffer *in = evbuffer_new(), *out = evbuffer_new();
	bool greeted = false;
	int ret = in != NULL && out != NULL ? agent_wire_put_hello(out) : -ENOMEM;

	while (ret == 0) {
		ret = turn(fd, in, out, deadline, err);
		if (ret == 0)
			ret = agent_status_take(in, out, &greeted, status, err);
	}
	if (in != NULL)
		evbuffer_free(in);
	if (out != NULL)
		evbuffer_free(out);
	return ret < 0 ? ret : 0;
}

int agent_status_get(const char *vsock, unsigned timeout_ms, json_t **status, struct err *err)
{
	int64_t deadline = monotonic_ms() + timeout_ms;
	cleanup_close int fd = -1;
	int ret = exec_connect(vsock, AGENT_PORT, timeout_ms, &fd, err);

	return ret < 0 ? ret : ask(fd, deadline, status, err);
}

/* --- printing -------------------------------------------------------------------------------- */

static void print_text(const char *text, FILE *out)
{
	for (; *text != '\0'; text++)
		fputc(isprint((unsigned char)*text) ? *text : '?', out);
}

/* A member that is a string, or "?". */
static void print_member(const json_t *object, const char *key, FILE *out)
{
	const char *text = json_string_value(json_object_get(object, key));

	print_text(text != NULL ? text : "?", out);
}

static void print_workload(const json_t *workload, FILE *out)
{
	static const char *const ends[] = { "code", "signal" };

	if (!json_is_object(workload))
		return;
	fputs("  workload: ", out);
	print_member(workload, "state", out);
	for (size_t i = 0; i < 2; i++) {
		const json_t *value = json_object_get(workload, ends[i]);

		if (json_is_integer(value))
			fprintf(out, ", %s %lld", ends[i], (long long)json_integer_value(value));
	}
	fputc('\n', out);
}

static void print_boot(const json_t *boot, FILE *out)
{
	const char *step;
	const json_t *ms;

	if (json_object_size(boot) == 0)
		return;
	fputs("  booted, ms since its kernel's start:", out);
	json_object_foreach ((json_t *)boot, step, ms) {
		fputc(' ', out);
		print_text(step, out);
		fprintf(out, " %lld", (long long)json_integer_value(ms));
	}
	fputc('\n', out);
}

static void print_mount(const json_t *row, FILE *out)
{
	print_member(row, "destination", out);
	fputc(' ', out);
	print_member(row, "kind", out);
	fputc(' ', out);
	print_member(row, "source", out);
}

static void print_address(const json_t *row, FILE *out)
{
	print_member(row, "interface", out);
	fputc(' ', out);
	print_member(row, "address", out);
	fprintf(out, "/%lld", (long long)json_integer_value(json_object_get(row, "prefix")));
}

static void print_listening(const json_t *row, FILE *out)
{
	print_member(row, "address", out);
	fprintf(out, " port %lld", (long long)json_integer_value(json_object_get(row, "port")));
}

static const struct list {
	const char *key;
	void (*print)(const json_t *row, FILE *out);
} lists[] = {
	{ "mounts", print_mount },
	{ "addresses", print_address },
	{ "listening", print_listening },
};

static void print_list(const json_t *status, const struct list *list, FILE *out)
{
	const json_t *rows = json_object_get(status, list->key), *row;
	size_t i;

	if (!json_is_array(rows))
		return;
	fprintf(out, "  %s:\n", list->key);
	json_array_foreach (rows, i, row) {
		fputs("    ", out);
		list->print(row, out);
		fputc('\n', out);
	}
}

void agent_status_print(const json_t *status, FILE *out)
{
	const json_t *uptime = json_object_get(status, "uptimeMs");

	fputs("  version: ", out);
	print_member(status, "version", out);
	fputc('\n', out);
	if (json_is_integer(uptime))
		fprintf(out, "  uptime: %.1f s\n", (double)json_integer_value(uptime) / 1000);
	print_workload(json_object_get(status, "workload"), out);
	print_boot(json_object_get(status, "bootMs"), out);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		print_list(status, &lists[i], out);
}
