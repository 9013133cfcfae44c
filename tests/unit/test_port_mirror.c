/* SPDX-License-Identifier: BSD-3-Clause */

/* A guest's ports in the pod. The guest is this test's own: a socket that answers as sluice-vsock
 * and the agent do, and says what no agent would. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/forward/port_mirror.h"
#include "launcher/process/loop.h"
#include "lib/unix_socket.h"
#include "tcp_bench.h"

#define N_PORTS_MAX 64
#define N_CONNS_MAX 16
#define PATIENCE_MS 300
#define LOOK_MS     100
#define STATUS_MAX  8192
#define AWAIT_MS    30000

/* --- what is wanted -------------------------------------------------------------------------- */

static struct port_report report, wanted;

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static void report_of(const char *address, uint16_t port)
{
	struct ip_addr a = addr(address);

	assert_true(port_report_add(&report, &a, port));
}

static void check_wanted(const struct port_mirror_plan *plan, const char *expected)
{
	char list[512] = "", text[IP_ADDR_TEXT_MAX];

	port_mirror_wanted(plan, &report, &wanted);
	for (size_t i = 0; i < wanted.n; i++)
		sprintf(list + strlen(list), "%s%s %u", i > 0 ? ", " : "",
			ip_addr_format(&wanted.item[i].address, text), wanted.item[i].port);
	assert_string_equal(list, expected);
	report.n = 0;
}

static void test_wanted(void **state)
{
	const struct ip_addr pods[] = { addr("10.1.0.2"), addr("fd01::2") };
	struct port_mirror_plan plan = { .addresses = pods, .n_addresses = 2 };

	check_wanted(&plan, "");
	report_of("0.0.0.0", 80);
	check_wanted(&plan, "10.1.0.2 80, 127.0.0.1 80");
	report_of("::", 80);
	check_wanted(&plan, "::1 80, fd01::2 80");
	report_of("127.0.0.1", 80);
	report_of("127.0.0.53", 53); /* whom one asks for names */
	report_of("127.255.255.255", 80);
	report_of("::1", 80);
	check_wanted(&plan, "::1 80, 127.0.0.1 80");
	report_of("10.1.0.2", 80);
	report_of("172.17.0.1", 80); /* a bridge of the guest's own */
	report_of("0.0.0.0", 80);
	check_wanted(&plan, "10.1.0.2 80, 127.0.0.1 80");
	plan.n_addresses = 0;
	report_of("10.1.0.2", 81);
	report_of("0.0.0.0", 80);
	report_of("224.0.0.1", 82);
	check_wanted(&plan, "127.0.0.1 80");
}

static void test_kept(void **state)
{
	struct port_mirror_plan plan = { .n_addresses = 0 };

	assert_int_equal(l4_ports_parse("tcp/8080,tcp/61000-65535,udp/53", &plan.kept, NULL), 0);
	report_of("127.0.0.1", 8080);
	report_of("0.0.0.0", 61000);
	report_of("::", 65535);
	report_of("::", 53);
	report_of("::", 60999);
	check_wanted(&plan, "::1 53, ::1 60999");
}

/* A guest with all the ports there can be gives no more than there is room for. */
static void test_wanted_is_bounded(void **state)
{
	const struct ip_addr pods[] = { addr("10.1.0.2") };
	const struct port_mirror_plan plan = { .addresses = pods, .n_addresses = 1 };

	for (uint16_t port = 1; port <= PORT_REPORT_MAX; port++)
		report_of("0.0.0.0", port);
	port_mirror_wanted(&plan, &report, &wanted);
	assert_int_equal(wanted.n, PORT_REPORT_MAX);
	report.n = 0;
}

/* --- a guest --------------------------------------------------------------------------------- */

struct bench {
	struct event_base *loop;
	char dir[64], path[80];
	int vsock, agent; /* what listens, and the connection that reports come on */
	struct port_mirror *mirror;
	unsigned n_idle;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct port_mirror_plan plan = {
		.n_ports_max = N_PORTS_MAX,
		.n_conns_max = N_CONNS_MAX,
		.patience_ms = PATIENCE_MS,
		.look_ms = LOOK_MS,
	};
	struct err err = { "" };

	signal(SIGPIPE, SIG_IGN);
	strcpy(b->dir, "/tmp/port-mirror.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/vsock", b->dir);
	b->vsock = unix_listen(b->path, 0600, &err);
	assert_return_code(b->vsock, -b->vsock);
	b->loop = event_base_new();
	b->agent = -1;
	plan.vsock = b->path;
	b->mirror = port_mirror_start(b->loop, &plan);
	assert_non_null(b->mirror);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	port_mirror_free(b->mirror);
	if (b->agent >= 0)
		close(b->agent);
	close(b->vsock);
	unlink(b->path);
	rmdir(b->dir);
	event_base_free(b->loop);
	free(b);
	return 0;
}

/* A line of a client's, without what is behind it. */
static void expect_line(struct bench *b, int fd, const char *line)
{
	char got[64] = "";
	size_t len = 0;

	while (len < strlen(line)) {
		ssize_t n = recv(fd, got + len, strlen(line) - len, MSG_DONTWAIT);

		if (n < 0)
			event_base_loop(b->loop, EVLOOP_NONBLOCK);
		assert_int_not_equal(n, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	assert_string_equal(got, line);
}

/* Who connects to the VM's vsock next, and for which service. */
static int take_client(struct bench *b, const char *service)
{
	int fd;

	while ((fd = accept4(b->vsock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
		event_base_loop(b->loop, EVLOOP_ONCE);
	expect_line(b, fd, service);
	assert_int_equal(send(fd, "OK 1073741824\n", 14, 0), 14);
	return fd;
}

static void take_watch(struct bench *b)
{
	if (b->agent >= 0)
		close(b->agent);
	b->agent = take_client(b, "CONNECT 1026\n");
	b->n_idle = tcp_n_fds();
}

static void say(struct bench *b, const char *text)
{
	assert_int_equal(send(b->agent, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void put_list(char *text, const json_t *list)
{
	const json_t *port;
	size_t i;

	json_array_foreach (list, i, port)
		sprintf(text + strlen(text), "%s ", json_string_value(port));
}

/* "127.0.0.1:80 taken 127.0.0.1:81 connections 1 ": what there is none of is left out. */
static void get_status(const struct bench *b, char text[STATUS_MAX])
{
	json_t *said = port_mirror_status(b->mirror), *value;
	const char *key;

	text[0] = '\0';
	put_list(text, json_object_get(said, "forwarded"));
	if (json_array_size(json_object_get(said, "taken")) > 0)
		strcat(text, "taken ");
	put_list(text, json_object_get(said, "taken"));
	json_object_foreach (said, key, value)
		if (json_integer_value(value) != 0)
			sprintf(text + strlen(text), "%s %d ", key, (int)json_integer_value(value));
	json_decref(said);
}

struct expected {
	struct bench *b;
	const char *status;
};

static bool is_as_expected(const void *arg)
{
	const struct expected *e = arg;
	char now[STATUS_MAX];

	get_status(e->b, now);
	return strcmp(now, e->status) == 0;
}

static void await_status(struct bench *b, const char *format, unsigned one, unsigned other)
{
	char text[STATUS_MAX], now[STATUS_MAX];
	const struct expected e = { b, text };

	snprintf(text, sizeof(text), format, one, other);
	if (loop_until(b->loop, AWAIT_MS, is_as_expected, &e) == 0)
		return;
	get_status(b, now);
	fail_msg("%s\nnot %s", now, text);
}

static bool never(const void *arg)
{
	return false;
}

/* So long that the pod's ports have been looked at again: that is due before this wait is over. */
static void let_look(struct bench *b)
{
	assert_int_equal(loop_until(b->loop, 3 * LOOK_MS, never, NULL), -ETIMEDOUT);
}

static void report_ports(struct bench *b, const char *address, uint16_t one, uint16_t other)
{
	char line[256];

	snprintf(line, sizeof(line),
		"{\"ports\":[{\"port\":%u,\"address\":\"%s\"},{\"port\":%u,\"address\":\"%s\"}]}\n",
		one, address, other, address);
	say(b, line);
}

#define NONE ""

/* Two ports that are free on 127.0.0.1, the lower one first. */
static void free_ports(uint16_t *low, uint16_t *high)
{
	uint16_t a = 0, b = 0;
	int one = tcp_listen("127.0.0.1", &a), other = tcp_listen("127.0.0.1", &b);

	close(one);
	close(other);
	*low = a < b ? a : b;
	*high = a < b ? b : a;
}

static void test_ports_come_and_go(void **state)
{
	struct bench *b = *state;
	uint16_t low, high;

	free_ports(&low, &high);
	take_watch(b);
	report_ports(b, "0.0.0.0", high, low);
	await_status(b, "127.0.0.1:%u 127.0.0.1:%u ", low, high);
	assert_true(tcp_is_taken("127.0.0.1", low) && tcp_is_taken("127.0.0.1", high));
	report_ports(b, "127.0.0.1", high, high);
	await_status(b, "127.0.0.1:%u ", high, 0);
	assert_false(tcp_is_taken("127.0.0.1", low));
	say(b, "{\"ports\":[]}\n");
	await_status(b, NONE, 0, 0);
	assert_false(tcp_is_taken("127.0.0.1", high));
	assert_int_equal(tcp_n_fds(), b->n_idle);
}

/* Whoever of the pod had it once finds it as it was, however often the guest asks for it. */
static void test_taken(void **state)
{
	struct bench *b = *state;
	uint16_t low, high;
	int sidecar;

	free_ports(&low, &high);
	take_watch(b);
	sidecar = tcp_listen("127.0.0.1", &low);
	report_ports(b, "0.0.0.0", low, high);
	await_status(b, "127.0.0.1:%u taken 127.0.0.1:%u ", high, low);
	close(sidecar);
	let_look(b);
	report_ports(b, "0.0.0.0", high, high);
	await_status(b, "127.0.0.1:%u ", high, 0);
	report_ports(b, "127.0.0.1", low, high);
	await_status(b, "127.0.0.1:%u taken 127.0.0.1:%u ", high, low);
	let_look(b);
	assert_false(tcp_is_taken("127.0.0.1", low));
}

/* "localhost" is ::1 as well: a port of the pod's is that on all addresses, from when it is there,
 * and if the guest has never asked for it. */
static void test_taken_elsewhere(void **state)
{
	struct bench *b = *state;
	int sidecar, other;
	uint16_t low, high;

	free_ports(&low, &high);
	take_watch(b);
	report_ports(b, "::1", low, low);
	await_status(b, "[::1]:%u ", low, 0);
	sidecar = tcp_listen("127.0.0.1", &low);
	other = tcp_listen("127.0.0.1", &high);
	await_status(b, "taken [::1]:%u ", low, 0);
	assert_false(tcp_is_taken("::1", low));
	let_look(b);
	close(sidecar);
	close(other);
	report_ports(b, "::1", low, high);
	await_status(b, "taken [::1]:%u [::1]:%u ", low, high);
}

/* A connection's own end is nobody's port: when it is over the guest gets it. */
static void test_taken_by_a_connection(void **state)
{
	struct bench *b = *state;
	struct sockaddr_in end = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int client = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(end);
	uint16_t port;

	take_watch(b);
	assert_return_code(bind(client, (struct sockaddr *)&end, len), errno);
	assert_return_code(getsockname(client, (struct sockaddr *)&end, &len), errno);
	port = ntohs(end.sin_port);
	report_ports(b, "127.0.0.1", port, port);
	await_status(b, "taken 127.0.0.1:%u ", port, 0);
	close(client);
	await_status(b, "127.0.0.1:%u ", port, 0);
}

/* What cannot be bound yet is tried again, and counted by its reason. */
static void test_failed(void **state)
{
	struct bench *b = *state;

	take_watch(b);
	assert_int_equal(system("ip addr del ::1/128 dev lo"), 0);
	report_ports(b, "::1", 80, 81);
	await_status(b, "failed %u ", 2, 0);
	assert_int_equal(system("ip addr add ::1/128 dev lo nodad"), 0);
	await_status(b, "[::1]:%u [::1]:%u ", 80, 81);
}

/* The guest hears which address and port were meant; and a port that goes takes none along. */
static void test_connections(void **state)
{
	struct bench *b = *state;
	int client, guest;
	uint16_t low, high;
	char line[64];

	free_ports(&low, &high);
	take_watch(b);
	report_ports(b, "127.0.0.1", low, low);
	await_status(b, "127.0.0.1:%u ", low, 0);
	client = tcp_connect("127.0.0.1", low);
	assert_true(client >= 0);
	guest = take_client(b, "CONNECT 1025\n");
	snprintf(line, sizeof(line), "127.0.0.1 %u\n", low);
	expect_line(b, guest, line);
	assert_int_equal(send(guest, "OK\nhi", 5, 0), 5);
	say(b, "{\"ports\":[]}\n");
	await_status(b, "connections 1 ", 0, 0);
	expect_line(b, client, "hi");
	assert_int_equal(send(client, "you too\n", 8, 0), 8);
	expect_line(b, guest, "you too\n");
	close(guest);
	close(client);
	await_status(b, NONE, 0, 0);
	assert_int_equal(tcp_n_fds(), b->n_idle);
}

/* One too many is refused, and counted: whoever has the others does not notice. */
static void test_too_many_connections(void **state)
{
	struct bench *b = *state;
	int client[N_CONNS_MAX + 1];
	uint16_t low, high;
	char byte;

	free_ports(&low, &high);
	take_watch(b);
	report_ports(b, "127.0.0.1", low, low);
	await_status(b, "127.0.0.1:%u ", low, 0);
	for (int i = 0; i < N_CONNS_MAX; i++)
		client[i] = tcp_connect("127.0.0.1", low);
	await_status(b, "127.0.0.1:%u connections 16 ", low, 0);
	client[N_CONNS_MAX] = tcp_connect("127.0.0.1", low);
	await_status(b, "127.0.0.1:%u connections 16 refused 1 ", low, 0);
	assert_int_equal(recv(client[N_CONNS_MAX], &byte, 1, 0), 0);
	for (int i = 0; i <= N_CONNS_MAX; i++)
		close(client[i]);
}

/* Whoever says nothing, be it the VM's vsock or the agent, is asked again; after a report there is
 * no hurry. */
static void test_silence(void **state)
{
	struct bench *b = *state;
	double begun_ms = loop_now_ms();
	int vsock, agent;

	while ((vsock = accept4(b->vsock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
		event_base_loop(b->loop, EVLOOP_ONCE);
	agent = take_client(b, "CONNECT 1026\n");
	take_watch(b);
	assert_true(loop_now_ms() - begun_ms >= 2 * PATIENCE_MS);
	say(b, "{\"ports\":[]}\n");
	begun_ms = loop_now_ms();
	while (loop_now_ms() - begun_ms < 2 * PATIENCE_MS)
		event_base_loop(b->loop, EVLOOP_NONBLOCK);
	assert_int_equal(accept(b->vsock, NULL, NULL), -1);
	close(vsock);
	close(agent);
}

/* What is no report ends the connection, which comes back; what was there stays until then. */
static void test_hostile_lines(void **state)
{
	static const char *const lines[] = { "\n", "OK\n", "{\"ports\":[{}]}\n", "\xff\n",
		"{\"ports\":[{\"port\":99999,\"address\":\"::\"}]}\n" };
	struct bench *b = *state;
	uint16_t low, high;

	free_ports(&low, &high);
	take_watch(b);
	report_ports(b, "0.0.0.0", low, high);
	await_status(b, "127.0.0.1:%u 127.0.0.1:%u ", low, high);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		say(b, lines[i]);
		take_watch(b);
		assert_true(tcp_is_taken("127.0.0.1", low));
	}
	report_ports(b, "0.0.0.0", high, high);
	await_status(b, "127.0.0.1:%u ", high, 0);
}

static void test_line_without_end(void **state)
{
	static char text[65536];
	struct bench *b = *state;
	int again = -1;

	take_watch(b);
	memset(text, ' ', sizeof(text));
	while (again < 0) {
		(void)!send(b->agent, text, sizeof(text), MSG_NOSIGNAL | MSG_DONTWAIT);
		event_base_loop(b->loop, EVLOOP_NONBLOCK);
		again = accept4(b->vsock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	close(again);
}

static bool is_over_limit(const void *arg)
{
	char text[STATUS_MAX];

	get_status(arg, text);
	return strstr(text, " over-limit 64 ") != NULL;
}

/* Heard now and then only; the rest fills the guest's own sockets. No more than so many ports. */
static void test_flood(void **state)
{
	struct bench *b = *state;
	char line[8192] = "{\"ports\":[";
	double begun_ms;
	size_t n_said = 0;

	take_watch(b);
	for (int port = 30000; port < 30000 + 2 * N_PORTS_MAX; port++)
		sprintf(line + strlen(line), "%s{\"port\":%d,\"address\":\"127.0.0.1\"}",
			port > 30000 ? "," : "", port);
	strcat(line, "]}\n");
	say(b, line);
	assert_int_equal(loop_until(b->loop, AWAIT_MS, is_over_limit, b), 0);
	begun_ms = loop_now_ms();
	while (loop_now_ms() - begun_ms < 1000) {
		if (send(b->agent, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT) ==
			(ssize_t)strlen(line))
			n_said++;
		event_base_loop(b->loop, EVLOOP_NONBLOCK);
	}
	assert_true(n_said < 400);
	assert_int_equal(tcp_n_fds(), b->n_idle + N_PORTS_MAX);
	assert_true(tcp_is_taken("127.0.0.1", 30000));
	assert_true(is_over_limit(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_wanted_is_bounded),
		cmocka_unit_test_setup_teardown(test_ports_come_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_taken_elsewhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_taken_by_a_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_connections, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_connections, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_line_without_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flood, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, tcp_own_network, NULL);
}
