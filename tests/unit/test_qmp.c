/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/vmm/qmp.h"
#include "launcher/vmm/qmp_message.h"

#define GREETING     "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7}}, \"capabilities\": []}}\r\n"
#define CAPABILITIES "{\"execute\":\"qmp_capabilities\",\"id\":1}\n"
#define AGREED       "{\"return\": {}, \"id\": 1}\r\n"

/* A monitor of the test's own; what the client made of it is a story in words. */
struct monitor {
	struct event_base *loop;
	struct qmp *qmp;
	int sock;
	char story[1024];
	const char *close_at; /* qmp_close() is called when this is told */
};

static void note(struct monitor *m, const char *what, const char *detail)
{
	size_t len = strlen(m->story);

	snprintf(m->story + len, sizeof(m->story) - len, "%s%s%s%s", len > 0 ? "; " : "", what,
		detail != NULL ? " " : "", detail != NULL ? detail : "");
	if (m->close_at != NULL && strcmp(m->close_at, what) == 0) {
		qmp_close(m->qmp);
		m->qmp = NULL;
	}
}

static void on_ready(void *owner)
{
	note(owner, "ready", NULL);
}

static void on_event(void *owner, const char *name, const json_t *data)
{
	char *text = data != NULL ? json_dumps(data, JSON_COMPACT) : NULL;

	note(owner, name, text);
	free(text);
}

static void on_ended(void *owner, const char *error)
{
	note(owner, "ended", error);
}

static void on_done(void *owner, const json_t *result, const char *error)
{
	char *text = result != NULL ? json_dumps(result, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	assert_true((result == NULL) == (error != NULL));
	note(owner, text != NULL ? "done" : "failed", text != NULL ? text : error);
	free(text);
}

static int setup(void **state)
{
	struct monitor *m = calloc(1, sizeof(*m));
	const struct qmp_owner owner = {
		.ready = on_ready, .event = on_event, .ended = on_ended, .owner = m
	};
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	assert_non_null(m);
	m->loop = event_base_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	m->sock = pair[0];
	assert_int_equal(qmp_open(m->loop, pair[1], &owner, &m->qmp, NULL), 0);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct monitor *m = *state;

	qmp_close(m->qmp);
	event_base_free(m->loop);
	if (m->sock >= 0)
		close(m->sock);
	free(m);
	return 0;
}

static void turn(struct monitor *m)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(m->loop, EVLOOP_NONBLOCK);
}

static void say_bytes(struct monitor *m, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(m->sock, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return; /* the client has enough */
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		turn(m);
	}
	turn(m);
}

static void say(struct monitor *m, const char *text)
{
	say_bytes(m, text, strlen(text));
}

static void hear(struct monitor *m, const char *expected)
{
	char text[1024];
	ssize_t n;

	turn(m);
	n = recv(m->sock, text, sizeof(text) - 1, MSG_DONTWAIT);
	text[n > 0 ? n : 0] = '\0';
	assert_string_equal(text, expected);
}

static void become_ready(struct monitor *m)
{
	say(m, GREETING);
	hear(m, CAPABILITIES);
	say(m, AGREED);
	assert_string_equal(m->story, "ready");
	m->story[0] = '\0';
}

static void test_commands(void **state)
{
	struct monitor *m = *state;
	json_t *arguments = json_pack("{s:i}", "speed", 3);
	struct err err = { "" };

	assert_int_equal(qmp_execute(m->qmp, "cont", NULL, on_done, &err), -ENOTCONN);
	become_ready(m);
	assert_int_equal(qmp_execute(m->qmp, "query-status", NULL, on_done, NULL), 0);
	assert_int_equal(qmp_execute(m->qmp, "set", arguments, on_done, NULL), 0);
	assert_int_equal(qmp_execute(m->qmp, "quit", NULL, NULL, NULL), 0);
	json_decref(arguments);
	hear(m, "{\"execute\":\"query-status\",\"id\":2}\n"
		"{\"execute\":\"set\",\"arguments\":{\"speed\":3},\"id\":3}\n"
		"{\"execute\":\"quit\",\"id\":4}\n");
	say(m, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"too slow\"}, \"id\": 3}\r\n"
	       "{\"return\": {\"running\": true}, \"id\": 2}\r\n{\"return\": {}, \"id\": 4}\r\n");
	assert_string_equal(m->story, "failed too slow; done {\"running\":true}");
}

static void test_events(void **state)
{
	struct monitor *m = *state;

	become_ready(m);
	/* In pieces, as a stream may bring it. */
	say(m, "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"eve");
	say(m, "nt\": \"POWERDOWN\"}\r\n{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": "
	       "true}}\r\n");
	assert_string_equal(m->story, "POWERDOWN; SHUTDOWN {\"guest\":true}");
}

static void test_end_of_stream(void **state)
{
	struct monitor *m = *state;

	become_ready(m);
	say(m, "{\"event\": \"STOP\"}\r\n{\"event\": \"half");
	close(m->sock);
	m->sock = -1;
	turn(m);
	assert_string_equal(m->story, "STOP; ended");
	assert_int_equal(qmp_execute(m->qmp, "quit", NULL, NULL, NULL), -ENOTCONN);
}

static void test_too_many_commands(void **state)
{
	struct monitor *m = *state;

	become_ready(m);
	for (int i = 0; i < QMP_PENDING_MAX; i++)
		assert_int_equal(qmp_execute(m->qmp, "cont", NULL, on_done, NULL), 0);
	assert_int_equal(qmp_execute(m->qmp, "cont", NULL, on_done, NULL), -EBUSY);
	say(m, "{\"return\": {}, \"id\": 2}\n");
	assert_int_equal(qmp_execute(m->qmp, "cont", NULL, on_done, NULL), 0);
}

static void test_closed_in_callback(void **state)
{
	struct monitor *m = *state;

	become_ready(m);
	m->close_at = "STOP";
	say(m, "{\"event\": \"STOP\"}\r\n{\"event\": \"RESUME\"}\r\n");
	assert_null(m->qmp);
	assert_string_equal(m->story, "STOP");
}

static void test_closed_at_its_end(void **state)
{
	struct monitor *m = *state;

	become_ready(m);
	m->close_at = "ended";
	say(m, "\n{\"event\": \"STOP\"}\r\n");
	assert_null(m->qmp);
	assert_non_null(strstr(m->story, "ended not JSON"));
}

/* Each after the greeting and the client's answer to it, and then once more when it is ready. */
static void test_refused(void **state)
{
	static const char *const lines[] = {
		"nonsense",
		"[]",
		"{}",
		"3",
		GREETING,
		"{\"return\": {}}",
		"{\"return\": {}, \"id\": \"1\"}",
		"{\"return\": {}, \"id\": 99}",
		"{\"return\": {}, \"id\": 0}",
		"{\"return\": {}, \"id\": -1}",
		"{\"return\": {}, \"id\": 1, \"event\": \"STOP\"}",
		"{\"return\": {}, \"id\": 1, \"id\": 2}",
		"{\"error\": {\"class\": \"X\"}, \"id\": 1}",
		"{\"error\": {\"class\": \"X\", \"desc\": \"d\"}}",
		"{\"error\": \"d\", \"id\": 1}",
		"{\"event\": \"\"}",
		"{\"event\": \"stop\"}",
		"{\"event\": \"STOP\\nlevel=error\"}",
		"{\"event\": 3}",
		"{\"event\": \"STOP\", \"data\": 3}",
		"{\"QMP\": 3}",
		"{\"event\": \"STOP\"} {\"event\": \"STOP\"}",
	};

	teardown(state);
	for (size_t i = 0; i < 2 * sizeof(lines) / sizeof(lines[0]); i++) {
		struct monitor *m;

		setup(state);
		m = *state;
		say(m, GREETING);
		if (i % 2 == 1)
			say(m, AGREED);
		m->story[0] = '\0';
		say(m, lines[i / 2]);
		say(m, "\r\n");
		if (strncmp(m->story, "ended ", 6) != 0)
			fail_msg("not refused: %s (%s)", lines[i / 2], m->story);
		teardown(state);
	}
	setup(state);
}

static void test_out_of_turn(void **state)
{
	struct monitor *m = *state;

	say(m, AGREED);
	assert_string_equal(m->story, "ended out of turn");
}

/* Refused to be agreed with. */
static void test_no_capabilities(void **state)
{
	struct monitor *m = *state;

	say(m, GREETING "{\"error\": {\"class\": \"X\", \"desc\": \"no\"}, \"id\": 1}\n");
	assert_string_equal(m->story, "ended out of turn");
}

static void test_line_too_long(void **state)
{
	struct monitor *m = *state;
	static char line[2 * QMP_LINE_MAX];

	become_ready(m);
	memset(line, ' ', sizeof(line));
	say_bytes(m, line, sizeof(line));
	assert_string_equal(m->story, "ended a line that is too long");
}

static void test_line_as_long_as_may_be(void **state)
{
	struct monitor *m = *state;
	static char line[QMP_LINE_MAX];
	const char event[] = "{\"event\": \"STOP\"}";

	become_ready(m);
	memset(line, ' ', sizeof(line));
	memcpy(line, event, strlen(event));
	line[sizeof(line) - 2] = '\n';
	say_bytes(m, line, sizeof(line) - 1);
	say(m, "{\"event\": \"RESUME\"}\n");
	assert_string_equal(m->story, "STOP; RESUME");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define QMP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		QMP_TEST(test_commands),
		QMP_TEST(test_events),
		QMP_TEST(test_end_of_stream),
		QMP_TEST(test_too_many_commands),
		QMP_TEST(test_closed_in_callback),
		QMP_TEST(test_closed_at_its_end),
		QMP_TEST(test_refused),
		QMP_TEST(test_out_of_turn),
		QMP_TEST(test_no_capabilities),
		QMP_TEST(test_line_too_long),
		QMP_TEST(test_line_as_long_as_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
