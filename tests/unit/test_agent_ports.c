/* SPDX-License-Identifier: BSD-3-Clause */

/* What the agent tells of ports, and where connections to the pod's lead. In this process: what
 * listens is the test's own. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "guest-agent/agent_forward.h"
#include "guest-agent/port_reports.h"
#include "lib/port_report.h"
#include "tcp_bench.h"

#define AWAIT_MS 30000

struct bench {
	struct event_base *loop;
	struct port_reports *reports;
	struct forwards *forwards;
	unsigned n_idle;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	signal(SIGPIPE, SIG_IGN);
	b->loop = event_base_new();
	b->reports = port_reports_new(b->loop);
	b->forwards = forwards_new(b->loop);
	assert_true(b->reports != NULL && b->forwards != NULL);
	b->n_idle = tcp_n_fds();
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	port_reports_free(b->reports);
	forwards_free(b->forwards);
	assert_int_equal(tcp_n_fds(), b->n_idle);
	event_base_free(b->loop);
	free(b);
	return 0;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void turn(struct bench *b)
{
	const struct timeval soon = { .tv_usec = 10000 };

	event_base_loopexit(b->loop, &soon);
	event_base_dispatch(b->loop);
}

static int watch(struct bench *b)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	port_reports_accept(b->reports, pair[1]);
	return pair[0];
}

/* The next line that comes; at most so many ms. False: none, or the end. */
static bool next_report(struct bench *b, int fd, struct port_report *report, long ms)
{
	static char line[PORT_REPORT_LINE_MAX + 2];
	long deadline = now_ms() + ms;
	struct err err = { "" };
	size_t len = 0;

	while (len == 0 || line[len - 1] != '\n') {
		ssize_t n = recv(fd, line + len, 1, 0);

		if (n == 0 || now_ms() > deadline)
			return false;
		if (n < 0)
			turn(b);
		else
			len++;
		assert_true(len < sizeof(line));
	}
	if (port_report_parse(line, len - 1, report, &err) < 0)
		fail_msg("%s", err.text);
	return true;
}

static bool has(const struct port_report *report, const char *address, uint16_t port)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(address, &a), 0);
	for (size_t i = 0; i < report->n; i++)
		if (report->item[i].port == port && ip_addr_equal(&report->item[i].address, &a))
			return true;
	return false;
}

static struct port_report report;

/* Other programs' ports may come and go as well: until it says what is expected. */
static void await_report(struct bench *b, int fd, const char *address, uint16_t port, bool expected)
{
	do
		assert_true(next_report(b, fd, &report, AWAIT_MS));
	while (has(&report, address, port) != expected);
}

static void test_changes_are_told(void **state)
{
	struct bench *b = *state;
	uint16_t one = 0, other = 0;
	int first = tcp_listen("127.0.0.1", &one), second, fd = watch(b), late;

	await_report(b, fd, "127.0.0.1", one, true);
	second = tcp_listen("::", &other);
	await_report(b, fd, "::", other, true);
	assert_true(has(&report, "0.0.0.0", other) && has(&report, "127.0.0.1", one));
	late = watch(b);
	await_report(b, late, "::", other, true);
	close(first);
	await_report(b, fd, "127.0.0.1", one, false);
	await_report(b, late, "127.0.0.1", one, false);
	close(second);
	await_report(b, fd, "::", other, false);
	close(fd);
	close(late);
	turn(b);
	assert_int_equal(tcp_n_fds(), b->n_idle);
}

static void test_v6_only_and_hidden(void **state)
{
	struct bench *b = *state;
	uint16_t v6 = 0, hidden = 0;
	int one = tcp_listen_v6_only(&v6), other = tcp_listen("0.0.0.0", &hidden), fd;

	port_reports_hide(b->reports, &hidden, 1);
	fd = watch(b);
	await_report(b, fd, "::", v6, true);
	assert_false(has(&report, "0.0.0.0", v6));
	assert_false(has(&report, "0.0.0.0", hidden));
	close(one);
	close(other);
	close(fd);
}

/* It does not read: one line waits for it at most, and then it is told what is so by then. */
static void test_slow_client(void **state)
{
	struct bench *b = *state;
	int fd = watch(b), small = 1, other, n_lines = 0;
	uint16_t last = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	other = watch(b);
	for (int i = 0; i < 8; i++) {
		uint16_t port = 0;
		int service = tcp_listen("127.0.0.1", &port);

		await_report(b, other, "127.0.0.1", port, true);
		close(service);
		await_report(b, other, "127.0.0.1", port, false);
	}
	int service = tcp_listen("127.0.0.1", &last);

	await_report(b, other, "127.0.0.1", last, true);
	do
		assert_true(++n_lines < 20 && next_report(b, fd, &report, AWAIT_MS));
	while (!has(&report, "127.0.0.1", last));
	close(service);
	close(fd);
	close(other);
}

static void test_clients_are_bounded(void **state)
{
	struct bench *b = *state;
	int fds[PORT_REPORTS_CLIENTS_MAX + 1];

	for (int i = 0; i <= PORT_REPORTS_CLIENTS_MAX; i++)
		fds[i] = watch(b);
	assert_false(next_report(b, fds[PORT_REPORTS_CLIENTS_MAX], &report, AWAIT_MS));
	for (int i = 0; i < PORT_REPORTS_CLIENTS_MAX; i++)
		assert_true(next_report(b, fds[i], &report, AWAIT_MS));
	/* What a client says is nobody's. */
	assert_int_equal(send(fds[0], "{}\n", 3, 0), 3);
	turn(b);
	for (int i = 0; i <= PORT_REPORTS_CLIENTS_MAX; i++)
		close(fds[i]);
	turn(b);
	assert_int_equal(tcp_n_fds(), b->n_idle);
}

/* --- where connections lead ------------------------------------------------------------------ */

/* A connection of somebody in the guest: both of its ends. */
static void lead(struct bench *b, uint16_t port, int *client)
{
	const struct sockaddr_in target = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint16_t local = 0;
	int service = tcp_listen("127.0.0.1", &local), ours;

	*client = tcp_connect("127.0.0.1", local);
	assert_return_code(*client, errno);
	ours = accept4(service, NULL, NULL, SOCK_NONBLOCK);
	assert_return_code(ours, errno);
	close(service);
	fcntl(*client, F_SETFL, O_NONBLOCK);
	forwards_lead(
		b->forwards, ours, (const struct sockaddr *)&target, sizeof(target), "8080\n");
}

static ssize_t await_bytes(struct bench *b, int fd, char *bytes, size_t len)
{
	long deadline = now_ms() + AWAIT_MS;
	size_t got = 0;

	while (got < len && now_ms() < deadline) {
		ssize_t n = recv(fd, bytes + got, len - got, 0);

		if (n == 0)
			break;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			turn(b);
		got += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)got;
}

/* The kernel need not tell of the end of a connection at once. */
static void await_no_forwards(struct bench *b)
{
	long deadline = now_ms() + AWAIT_MS;

	while (forwards_count(b->forwards) > 0 && now_ms() < deadline)
		turn(b);
	assert_int_equal(forwards_count(b->forwards), 0);
}

static void test_line_comes_first(void **state)
{
	struct bench *b = *state;
	uint16_t port = 0;
	int host = tcp_listen("127.0.0.1", &port), client, server;
	char got[16] = "";

	lead(b, port, &client);
	assert_int_equal(send(client, "hello", 5, 0), 5);
	shutdown(client, SHUT_WR);
	server = accept4(host, NULL, NULL, SOCK_NONBLOCK);
	assert_return_code(server, errno);
	assert_int_equal(await_bytes(b, server, got, sizeof(got)), 10);
	assert_string_equal(got, "8080\nhello");
	/* Nothing is answered but what the other end says. */
	assert_int_equal(send(server, "OK", 2, 0), 2);
	close(server);
	memset(got, 0, sizeof(got));
	assert_int_equal(await_bytes(b, client, got, sizeof(got)), 2);
	assert_string_equal(got, "OK");
	close(client);
	close(host);
	await_no_forwards(b);
}

static void test_refused_is_reset(void **state)
{
	struct bench *b = *state;
	uint16_t port = 0;
	char byte;
	int client, bound = tcp_bind(&port);

	lead(b, port, &client);
	assert_int_equal(await_bytes(b, client, &byte, 1), -ECONNRESET);
	close(client);
	await_no_forwards(b);
	close(bound);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_v6_only_and_hidden, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slow_client, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clients_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_line_comes_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused_is_reset, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, tcp_own_network, NULL);
}
