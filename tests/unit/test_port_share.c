/* SPDX-License-Identifier: BSD-3-Clause */

/* The pod's end of shared ports: what a guest may ask for, and what comes of all else. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/forward/port_share.h"
#include "launcher/process/loop.h"
#include "lib/unix_socket.h"
#include "tcp_bench.h"

#define N_CONNS    16
#define N_REQUESTS 10000
#define AWAIT_MS   30000

struct bench {
	struct event_base *loop;
	char dir[64], path[80];
	uint16_t port, other;
	int service, elsewhere; /* of a port that is shared, and of one that is not */
	struct port_share *share;
	unsigned n_idle;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct shared_ports shared;
	struct err err = { "" };
	char text[16];

	signal(SIGPIPE, SIG_IGN);
	strcpy(b->dir, "/tmp/port-share.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/vsock_1027", b->dir);
	b->loop = event_base_new();
	b->service = tcp_listen("127.0.0.1", &b->port);
	fcntl(b->service, F_SETFL, O_NONBLOCK);
	b->elsewhere = tcp_listen("127.0.0.1", &b->other);
	fcntl(b->elsewhere, F_SETFL, O_NONBLOCK);
	snprintf(text, sizeof(text), "%u", b->port);
	assert_int_equal(shared_ports_parse(text, &shared, &err), 0);
	assert_int_equal(port_share_start(b->loop, b->path, &shared, N_CONNS, &b->share, &err), 0);
	b->n_idle = tcp_n_fds();
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	port_share_free(b->share);
	assert_int_equal(access(b->path, F_OK), -1);
	close(b->service);
	close(b->elsewhere);
	event_base_free(b->loop);
	rmdir(b->dir);
	free(b);
	return 0;
}

/* As sluice-vsock connects for the guest. */
static int ask(struct bench *b, const char *line)
{
	struct err err = { "" };
	int fd = unix_connect(b->path, &err);

	assert_return_code(fd, -fd);
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	return fd;
}

static bool is_readable(const void *arg)
{
	char byte;
	ssize_t n = recv(*(const int *)arg, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n >= 0 || errno != EAGAIN;
}

/* What TCP does in between is no event of the loop's, which may not wait for one, therefore. */
static void turn(struct bench *b)
{
	const struct timeval soon = { .tv_usec = 1000 };

	event_base_loopexit(b->loop, &soon);
	event_base_dispatch(b->loop);
}

static void await(struct bench *b, bool (*done)(const void *arg), const void *arg)
{
	double deadline_ms = loop_now_ms() + AWAIT_MS;

	while (!done(arg) && loop_now_ms() < deadline_ms)
		turn(b);
	assert_true(done(arg));
}

static void await_end(struct bench *b, int fd)
{
	char byte;

	await(b, is_readable, &fd);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
}

static int64_t status(const struct bench *b, const char *key)
{
	json_t *said = port_share_status(b->share);
	int64_t value = json_integer_value(json_object_get(said, key));

	json_decref(said);
	return value;
}

static bool is_idle(const void *arg)
{
	const struct bench *b = arg;

	return status(b, "connections") == 0;
}

static void await_idle(struct bench *b)
{
	await(b, is_idle, b);
	assert_int_equal(tcp_n_fds(), b->n_idle);
}

static bool has_client(const void *arg)
{
	struct pollfd listener = { .fd = *(const int *)arg, .events = POLLIN };

	return poll(&listener, 1, 0) == 1;
}

static int take_client(struct bench *b, int listener)
{
	int fd;

	await(b, has_client, &listener);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_return_code(fd, errno);
	return fd;
}

static void test_lines(void **state)
{
	static const char *const refused[] = { "", "0", "080", "65536", "99999", "100000", "+80",
		" 80", "80 ", "8o", "-1", "80\r" };
	uint16_t port = 0;

	assert_int_equal(port_share_parse("1", 1, &port), 0);
	assert_int_equal(port, 1);
	assert_int_equal(port_share_parse("65535", 5, &port), 0);
	assert_int_equal(port, 65535);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(port_share_parse(refused[i], strlen(refused[i]), &port), -EPROTO);
	assert_int_equal(port_share_parse("8\0", 2, &port), -EPROTO);
}

/* The bytes behind the line are the stream's, and each direction ends on its own. */
static void test_streams(void **state)
{
	struct bench *b = *state;
	char line[64], got[32] = "";
	int fd, server;

	snprintf(line, sizeof(line), "%u\nearly", b->port);
	fd = ask(b, line);
	shutdown(fd, SHUT_WR);
	server = take_client(b, b->service);
	await(b, is_readable, &server);
	assert_int_equal(recv(server, got, sizeof(got), 0), 5);
	assert_string_equal(got, "early");
	await(b, is_readable, &server);
	assert_int_equal(recv(server, got, sizeof(got), 0), 0);
	assert_int_equal(send(server, "late", 4, 0), 4);
	await(b, is_readable, &fd);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 4);
	close(server);
	await_end(b, fd);
	await_idle(b);
	assert_int_equal(status(b, "refused"), 0);
}

static void test_refusals(void **state)
{
	struct bench *b = *state;
	char other[16];

	snprintf(other, sizeof(other), "%u\n", b->other);
	await_end(b, ask(b, other));
	await_end(b, ask(b, "22\n"));
	await_end(b, ask(b, "\n"));
	await_end(b, ask(b, "GET / HTTP/1.0\r\n"));
	await_end(b, ask(b, "123456"));
	assert_int_equal(status(b, "refused"), 5);
	await_idle(b);
	/* Nobody was connected to. */
	assert_int_equal(accept(b->elsewhere, NULL, NULL), -1);
}

/* A port that is shared, and that nobody listens on (yet). */
static void test_nobody(void **state)
{
	struct bench *b = *state;
	char line[16];
	int again;

	snprintf(line, sizeof(line), "%u\n", b->port);
	close(b->service);
	b->n_idle--;
	await_end(b, ask(b, line));
	await_idle(b);
	/* On ::1 alone is as good. */
	again = tcp_listen("::1", &b->port);
	b->service = again;
	b->n_idle++;
	fcntl(again, F_SETFL, O_NONBLOCK);
	int fd = ask(b, line);

	close(take_client(b, again));
	await_end(b, fd);
	await_idle(b);
}

/* Who says nothing uses up what there is, for a while, and no more; who asks for much gets little.
 */
static void test_floods(void **state)
{
	struct bench *b = *state;
	int silent[N_CONNS];

	for (int i = 0; i < N_CONNS; i++)
		silent[i] = ask(b, "8");
	while (status(b, "connections") < N_CONNS)
		event_base_loop(b->loop, EVLOOP_ONCE);
	await_end(b, ask(b, "22\n"));
	assert_int_equal(status(b, "refused"), 1);
	for (int i = 0; i < N_CONNS; i++)
		close(silent[i]);
	await_idle(b);
	for (int i = 0; i < N_REQUESTS; i++) {
		close(ask(b, i % 2 ? "22\n" : "x"));
		if (i % 8 == 0)
			event_base_loop(b->loop, EVLOOP_NONBLOCK);
	}
	await_idle(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test_setup_teardown(test_streams, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_floods, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, tcp_own_network, NULL);
}
