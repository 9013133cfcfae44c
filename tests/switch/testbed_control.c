/* SPDX-License-Identifier: BSD-3-Clause */

/* The testbed's end of the control socket. */
#include "tests/switch/testbed.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/monotonic.h"

#define CALL_MS 60000
#define STAT_MS 60000

static void nap_ms(int ms)
{
	nanosleep(&(struct timespec) { .tv_nsec = ms * 1000000l }, NULL);
}

int testbed_connect(const struct testbed *t)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, testbed_path(t, "ctl.sock"));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		fail_msg("%s: %s", addr.sun_path, strerror(errno));
	return fd;
}

/* ---- calls ---- */

/* One line and not a byte more: what follows is for the next call. NULL if none comes. */
static json_t *read_line(int fd, int timeout_ms)
{
	static char line[4 << 20];
	int64_t deadline = monotonic_ms() + timeout_ms;
	size_t n = 0;

	while (n < sizeof(line)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - monotonic_ms();
		const char *end;
		ssize_t got;

		if (poll(&p, 1, left > 0 ? (int)left : 0) <= 0)
			return NULL;
		got = recv(fd, line + n, sizeof(line) - n, MSG_DONTWAIT | MSG_PEEK);
		if (got <= 0)
			return NULL;
		end = memchr(line + n, '\n', (size_t)got);
		if (end)
			got = end + 1 - (line + n);
		if (recv(fd, line + n, (size_t)got, 0) != got)
			return NULL;
		n += (size_t)got;
		if (end)
			return json_loadb(line, n, 0, NULL);
	}
	return NULL;
}

/* The whole answer. */
static json_t *ask(const struct testbed *t, int fd, const char *method, const char *params)
{
	char *expanded = testbed_expand(t, params ? params : "{}"), *line = NULL;
	json_t *answer;
	int n = asprintf(&line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n",
		method, expanded);

	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		fail_msg("control socket: %s", strerror(errno));
	free(expanded);
	free(line);
	answer = read_line(fd, CALL_MS);
	if (!answer)
		fail_msg("%s: no answer on the control socket", method);
	return answer;
}

json_t *testbed_call_with(struct testbed *t, const char *method, const char *params)
{
	json_t *answer = ask(t, t->control, method, params);
	json_t *result = json_incref(json_object_get(answer, "result"));

	if (!result)
		fail_msg("%s: %s", method, json_dumps(answer, 0));
	json_decref(answer);
	return result;
}

json_t *testbed_call(struct testbed *t, const char *method)
{
	return testbed_call_with(t, method, NULL);
}

void testbed_do(struct testbed *t, const char *method, const char *params)
{
	json_decref(testbed_call_with(t, method, params));
}

const char *testbed_call_fails(struct testbed *t, const char *method, const char *params)
{
	static char text[1024];
	json_t *answer = ask(t, t->control, method, params);
	const char *message =
		json_string_value(json_object_get(json_object_get(answer, "error"), "message"));

	if (!message)
		fail_msg("%s %s should fail: %s", method, params ? params : "",
			json_dumps(answer, 0));
	snprintf(text, sizeof(text), "%s", message);
	json_decref(answer);
	return text;
}

void testbed_reload(struct testbed *t, const char *changes)
{
	json_t *answer = testbed_call(t, "config.reload"), *row;
	char said[1024] = "";
	size_t i;

	json_array_foreach (json_object_get(json_array_get(answer, 0), "changes"), i, row)
		snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%s %s", i ? ", " : "",
			json_string_value(json_object_get(row, "what")),
			json_string_value(json_object_get(row, "name")));
	assert_string_equal(said, changes);
	json_decref(answer);
}

json_t *testbed_port(struct testbed *t, const char *port)
{
	json_t *all = testbed_call(t, "port.show"), *one, *found = NULL;
	size_t i;

	json_array_foreach (all, i, one)
		if (strcmp(json_string_value(json_object_get(one, "ifname")), port) == 0)
			found = json_incref(one);
	json_decref(all);
	return found;
}

/* ---- events ---- */

int testbed_follow(const struct testbed *t)
{
	int fd = testbed_connect(t);
	json_t *answer = ask(t, fd, "events", NULL);

	assert_non_null(json_object_get(answer, "result"));
	json_decref(answer);
	return fd;
}

json_t *testbed_event(int fd, int timeout_ms)
{
	json_t *line = read_line(fd, timeout_ms), *params;

	if (!line)
		return NULL;
	assert_string_equal(json_string_value(json_object_get(line, "method")), "event");
	params = json_incref(json_object_get(line, "params"));
	json_decref(line);
	return params;
}

/* The next that is not about a guest: those come and go in their own time. */
static json_t *next_order(int fd)
{
	json_t *e = testbed_event(fd, CALL_MS);

	while (e && strncmp(json_string_value(json_object_get(e, "event")), "guest-", 6) == 0) {
		json_decref(e);
		e = testbed_event(fd, CALL_MS);
	}
	return e;
}

void testbed_expect_event(int fd, const char *event, const char *port, const char *detail)
{
	json_t *e = next_order(fd);
	const char *got, *about, *text;

	if (!e)
		fail_msg("no event %s", event);
	got = json_string_value(json_object_get(e, "event"));
	about = json_string_value(json_object_get(e, "port"));
	text = json_string_value(json_object_get(e, "detail"));
	if (!got || strcmp(got, event) != 0 || (port && (!about || strcmp(about, port) != 0)) ||
		(!port && about) || (detail && (!text || !strstr(text, detail))))
		fail_msg("not %s %s %s: %s", event, port ? port : "", detail ? detail : "",
			json_dumps(e, 0));
	json_decref(e);
}

/* ---- statistics ---- */

/* A drop reason that never occurred is not listed: then the count is 0. */
static int64_t number_at(const json_t *object, const char *whole)
{
	const char *path = whole;
	char part[64];

	for (;;) {
		size_t n = strcspn(path, ".");

		assert_true(n < sizeof(part));
		memcpy(part, path, n);
		part[n] = '\0';
		object = json_object_get(object, part);
		if (!path[n])
			break;
		path += n + 1;
	}
	if (!object && strncmp(whole, "drop_reasons.", 13) == 0)
		return 0;
	if (!json_is_integer(object))
		fail_msg("port.stats has no number %s", whole);
	return json_integer_value(object);
}

int64_t testbed_stat(struct testbed *t, const char *port, const char *path)
{
	json_t *all = testbed_call(t, "port.stats"), *one;
	int64_t value = -1;
	size_t i;

	json_array_foreach (all, i, one) {
		const char *name = json_string_value(json_object_get(one, "ifname"));

		if (name && strcmp(name, port) == 0)
			value = number_at(one, path);
	}
	json_decref(all);
	if (value < 0)
		fail_msg("port.stats has no port %s", port);
	return value;
}

int64_t testbed_drops(struct testbed *t, const char *port, const char *reason)
{
	char path[96];

	snprintf(path, sizeof(path), "drop_reasons.%s.count", reason);
	return testbed_stat(t, port, path);
}

int64_t testbed_wait_stat(struct testbed *t, const char *port, const char *path, int64_t least)
{
	int64_t deadline = monotonic_ms() + STAT_MS, value;

	while ((value = testbed_stat(t, port, path)) < least) {
		if (monotonic_ms() > deadline)
			fail_msg("%s: %s is %ld, not %ld", port, path, (long)value, (long)least);
		nap_ms(2);
	}
	return value;
}

int64_t testbed_wait_drops(struct testbed *t, const char *port, const char *reason, int64_t least)
{
	char path[96];

	snprintf(path, sizeof(path), "drop_reasons.%s.count", reason);
	return testbed_wait_stat(t, port, path, least);
}
