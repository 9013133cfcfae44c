/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/vmm/rest.h"
#include "lib/unix_socket.h"

#define TURNS_MAX 60000 /* of half a millisecond at least */

/* A server of the test's own, a step at a time; what the client made of it is a story in words. */
struct server {
	struct event_base *loop;
	struct rest *rest;
	int listener;
	int client;
	bool close_when_told;
	char dir[32];
	char path[48];
	char heard[4096];
	char story[512];
};

static void on_done(void *owner, int status, const json_t *body, const char *error)
{
	struct server *s = owner;
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	size_t len = strlen(s->story);

	snprintf(s->story + len, sizeof(s->story) - len, "[%d %s%s%s]", status,
		text != NULL ? text : "-", error != NULL ? " " : "", error != NULL ? error : "");
	free(text);
	if (s->close_when_told) {
		rest_close(s->rest);
		s->rest = NULL;
	}
}

static int setup(void **state)
{
	struct server *s = calloc(1, sizeof(*s));

	signal(SIGPIPE, SIG_IGN);
	assert_non_null(s);
	strcpy(s->dir, "/tmp/test_rest.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/api", s->dir);
	s->listener = unix_listen(s->path, 0600, NULL);
	assert_true(s->listener >= 0);
	s->client = -1;
	s->loop = event_base_new();
	assert_int_equal(rest_open(s->loop, s->path, &s->rest, NULL), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct server *s = *state;

	rest_close(s->rest);
	event_base_free(s->loop);
	close(s->listener);
	if (s->client >= 0)
		close(s->client);
	unlink(s->path);
	rmdir(s->dir);
	free(s);
	return 0;
}

static void turn(struct server *s)
{
	event_base_loop(s->loop, EVLOOP_NONBLOCK);
	usleep(500);
}

/* Takes the client's connection, and reads until a request's `end` has come. */
static void hear(struct server *s, const char *end)
{
	size_t len = 0;

	memset(s->heard, 0, sizeof(s->heard));
	for (int i = 0; i < TURNS_MAX && strstr(s->heard, end) == NULL; i++) {
		ssize_t n;

		turn(s);
		if (s->client < 0)
			s->client = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		n = recv(s->client, s->heard + len, sizeof(s->heard) - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	assert_non_null(strstr(s->heard, end));
}

/* Says it, and turns until the client has made something of it. */
static void answer(struct server *s, const char *bytes, size_t len)
{
	for (int i = 0; i < TURNS_MAX && s->story[0] == '\0'; i++) {
		ssize_t n = len > 0 ? send(s->client, bytes, len, MSG_NOSIGNAL) : 0;

		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		turn(s);
	}
}

static void say(struct server *s, const char *text)
{
	answer(s, text, strlen(text));
}

static void ask(struct server *s, const char *method, const char *path, const json_t *body)
{
	struct err err = { "" };

	if (rest_call(s->rest, method, path, body, on_done, s, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(s->story, "");
}

static void test_request(void **state)
{
	struct server *s = *state;
	json_t *body = json_pack("{s:s}", "kernel", "/boot/vmlinuz");

	ask(s, "PUT", "/api/v1/vm.create", body);
	json_decref(body);
	hear(s, "}");
	assert_string_equal(s->heard,
		"PUT /api/v1/vm.create HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"
		"Content-Type: application/json\r\nContent-Length: 26\r\n\r\n"
		"{\"kernel\":\"/boot/vmlinuz\"}");
	say(s, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_string_equal(s->story, "[204 -]");
	/* On the same connection. */
	s->story[0] = '\0';
	ask(s, "GET", "/api/v1/vm.info", NULL);
	hear(s, "\r\n\r\n");
	say(s, "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{\"state\":\"Running\"}");
	assert_string_equal(s->story, "[200 {\"state\":\"Running\"}]");
}

static void test_error_of_the_vmm(void **state)
{
	struct server *s = *state;

	ask(s, "PUT", "/boot-source", NULL);
	hear(s, "\r\n\r\n");
	say(s, "HTTP/1.1 400 Bad Request\r\nContent-Length: 29\r\n\r\n"
	       "{\"fault_message\":\"no kernel\"}");
	assert_string_equal(s->story, "[400 {\"fault_message\":\"no kernel\"} no kernel]");
	s->story[0] = '\0';
	ask(s, "PUT", "/boot-source", NULL);
	hear(s, "\r\n\r\n");
	say(s, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 8\r\n\r\nno space");
	assert_string_equal(s->story, "[500 - no space]");
}

static void test_nobody_listens(void **state)
{
	struct server *s = *state;

	unlink(s->path);
	ask(s, "GET", "/", NULL);
	for (int i = 0; i < TURNS_MAX && s->story[0] == '\0'; i++)
		turn(s);
	assert_non_null(strstr(s->story, "[0 - "));
}

static void test_hangs_up(void **state)
{
	struct server *s = *state;

	ask(s, "GET", "/", NULL);
	hear(s, "\r\n\r\n");
	close(s->client);
	s->client = -1;
	for (int i = 0; i < TURNS_MAX && s->story[0] == '\0'; i++)
		turn(s);
	assert_non_null(strstr(s->story, "[0 - "));
}

static void test_answer_is_no_json(void **state)
{
	struct server *s = *state;

	ask(s, "GET", "/", NULL);
	hear(s, "\r\n\r\n");
	say(s, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	assert_string_equal(s->story, "[0 - an answer that is not JSON]");
}

static void test_answer_is_no_http(void **state)
{
	struct server *s = *state;

	ask(s, "GET", "/", NULL);
	hear(s, "\r\n\r\n");
	say(s, "{\"return\": {}}\r\n\r\n");
	assert_non_null(strstr(s->story, "[0 - "));
}

static void test_answer_has_no_status(void **state)
{
	struct server *s = *state;

	ask(s, "GET", "/", NULL);
	hear(s, "\r\n\r\n");
	assert_int_equal(send(s->client, "HTTP/20. 500\n\n", 14, MSG_NOSIGNAL), 14);
	close(s->client);
	s->client = -1;
	for (int i = 0; i < TURNS_MAX && s->story[0] == '\0'; i++)
		turn(s);
	assert_string_equal(s->story, "[0 - an answer without a status]");
}

static void test_answer_is_too_long(void **state)
{
	struct server *s = *state;
	static char text[2 * REST_ANSWER_MAX];
	int len =
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");

	memset(text + len, ' ', sizeof(text) - (size_t)len);
	ask(s, "GET", "/", NULL);
	hear(s, "\r\n\r\n");
	answer(s, text, sizeof(text));
	assert_non_null(strstr(s->story, "[0 - "));
}

/* It follows nobody elsewhere. */
static void test_redirection(void **state)
{
	struct server *s = *state;

	ask(s, "GET", "/", NULL);
	hear(s, "\r\n\r\n");
	say(s, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
	assert_string_equal(s->story, "[302 -]");
}

static void test_closed_in_callback(void **state)
{
	struct server *s = *state;

	s->close_when_told = true;
	ask(s, "GET", "/one", NULL);
	ask(s, "GET", "/two", NULL);
	hear(s, "\r\n\r\n");
	say(s, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_null(s->rest);
	assert_string_equal(s->story, "[204 -]");
}

static void test_closed_while_asked(void **state)
{
	struct server *s = *state;

	ask(s, "GET", "/", NULL);
	hear(s, "\r\n\r\n");
	rest_close(s->rest);
	s->rest = NULL;
	for (int i = 0; i < 10; i++)
		turn(s);
	assert_string_equal(s->story, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define REST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		REST_TEST(test_request),
		REST_TEST(test_error_of_the_vmm),
		REST_TEST(test_nobody_listens),
		REST_TEST(test_hangs_up),
		REST_TEST(test_answer_is_no_json),
		REST_TEST(test_answer_is_no_http),
		REST_TEST(test_answer_has_no_status),
		REST_TEST(test_answer_is_too_long),
		REST_TEST(test_redirection),
		REST_TEST(test_closed_in_callback),
		REST_TEST(test_closed_while_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
