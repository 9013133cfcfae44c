/* SPDX-License-Identifier: BSD-3-Clause */

/* Streams forwarded to TCP ports: a service of this test's own, reached through the agent. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent_lab.h"
#include "guest-agent/agent_forward.h"
#include "lib/unix_socket.h"

#define TOTAL (16U << 20)

/* Bound, and not listened on: who connects is refused, and nobody else gets the port. */
static int bind_on(int family, int *port)
{
	struct sockaddr_storage address = { .ss_family = (sa_family_t)family };
	socklen_t len = sizeof(address);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_loopback;
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_return_code(getsockname(fd, (struct sockaddr *)&address, &len), errno);
	*port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	return fd;
}

static int listen_on(int family, int *port)
{
	int fd = bind_on(family, port);

	assert_return_code(listen(fd, 8), errno);
	return fd;
}

static int connect_to(struct lab *lab, const char *line)
{
	struct timeval limit = { .tv_sec = 20 };
	struct err err = { "" };
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/forward", lab->directory);
	fd = unix_connect(path, &err);
	assert_return_code(fd, errno);
	fcntl(fd, F_SETFL, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	return fd;
}

static void read_exactly(int fd, char *text, size_t len)
{
	assert_int_equal(recv(fd, text, len, MSG_WAITALL), len);
}

/* All until the end. */
static void read_rest(int fd, char *text, size_t size)
{
	ssize_t n = recv(fd, text, size - 1, MSG_WAITALL);

	assert_return_code(n, errno);
	text[n] = '\0';
	assert_int_equal(recv(fd, text + n, 1, 0), 0);
}

static void *write_all(void *arg)
{
	static uint8_t bytes[65536];
	int fd = *(int *)arg;

	for (uint64_t at = 0; at < TOTAL; at += sizeof(bytes)) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = lab_byte(at + i);
		for (size_t n = 0; n < sizeof(bytes);) {
			ssize_t put = send(fd, bytes + n, sizeof(bytes) - n, MSG_NOSIGNAL);

			if (put <= 0)
				return NULL;
			n += (size_t)put;
		}
	}
	shutdown(fd, SHUT_WR);
	return arg;
}

static void read_all(int fd)
{
	static uint8_t bytes[65536];
	uint64_t at = 0;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			if (bytes[i] != lab_byte(at))
				fail_msg("byte %llu is wrong", (unsigned long long)at);
	assert_int_equal(n, 0);
	assert_int_equal(at, TOTAL);
}

/* One direction after the other: half-close carries over. */
static void check_stream(struct lab *lab, int family, const char *address)
{
	int port, server, service = listen_on(family, &port);
	pthread_t writer;
	char line[64], ok[3];
	void *done;
	int fd;

	snprintf(line, sizeof(line), "%s %d\nearly", address, port);
	fd = connect_to(lab, line);
	server = accept(service, NULL, NULL);
	assert_return_code(server, errno);
	read_exactly(fd, ok, 3);
	assert_memory_equal(ok, "OK\n", 3);
	char early[5];
	read_exactly(server, early, 5);
	assert_memory_equal(early, "early", 5);
	pthread_create(&writer, NULL, write_all, &fd);
	read_all(server);
	pthread_join(writer, &done);
	assert_non_null(done);
	pthread_create(&writer, NULL, write_all, &server);
	read_all(fd);
	pthread_join(writer, &done);
	assert_non_null(done);
	close(fd);
	close(server);
	close(service);
	lab_await_idle(lab);
}

static void test_streams(void **state)
{
	check_stream(*state, AF_INET, "127.0.0.1");
	check_stream(*state, AF_INET6, "::1");
}

static void check_error(struct lab *lab, const char *line, const char *answer)
{
	char text[256];
	int fd = connect_to(lab, line);

	read_rest(fd, text, sizeof(text));
	if (strncmp(text, answer, strlen(answer)) != 0)
		fail_msg("%s: %s", line, text);
	close(fd);
	lab_await_idle(lab);
}

static void test_errors(void **state)
{
	char line[64];
	int port, bound = bind_on(AF_INET, &port);

	snprintf(line, sizeof(line), "127.0.0.1 %d\n", port);
	check_error(*state, line, "ERROR Connection refused\n");
	close(bound);
	check_error(*state, "192.0.2.1 80\n", "ERROR this is not an address of the guest");
	check_error(*state, "2001:db8::1 80\n", "ERROR this is not an address of the guest");
	check_error(*state, "localhost 80\n", "ERROR localhost is not an address\n");
	check_error(*state, "\n", "ERROR not \"ADDRESS PORT\"\n");
	check_error(*state, "127.0.0.1 0\n", "ERROR not \"ADDRESS PORT\"\n");
	check_error(*state, "127.0.0.1 65536\n", "ERROR not \"ADDRESS PORT\"\n");
	check_error(*state, "127.0.0.1 80 \n", "ERROR not \"ADDRESS PORT\"\n");
	check_error(*state,
		"0123456789012345678901234567890123456789012345678901234567890123456789",
		"ERROR the line is too long\n");
}

/* Who breaks on one side is broken on the other. */
static void test_breaks(void **state)
{
	const struct linger reset = { .l_onoff = 1 };
	int port, server, fd, service = listen_on(AF_INET, &port);
	char line[64], byte, ok[3];

	snprintf(line, sizeof(line), "127.0.0.1 %d\n", port);
	fd = connect_to(*state, line);
	server = accept(service, NULL, NULL);
	read_exactly(fd, ok, 3);
	setsockopt(server, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(server);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
	lab_await_idle(*state);

	/* The client goes with bytes unread: the service sees that they were not taken. */
	fd = connect_to(*state, line);
	server = accept(service, NULL, NULL);
	read_exactly(fd, ok, 3);
	pthread_t writer;
	pthread_create(&writer, NULL, write_all, &server);
	poll(NULL, 0, 200);
	close(fd);
	void *done;
	pthread_join(writer, &done);
	assert_null(done);
	close(server);
	close(service);
	lab_await_idle(*state);
}

static void test_parse(void **state)
{
	struct sockaddr_storage address;

	assert_int_equal(agent_forward_parse("10.0.0.1 8080", 13, &address, NULL), 0);
	assert_int_equal(address.ss_family, AF_INET);
	assert_int_equal(((struct sockaddr_in *)&address)->sin_port, htons(8080));
	assert_int_equal(agent_forward_parse("fd00::1 65535", 13, &address, NULL), 0);
	assert_int_equal(address.ss_family, AF_INET6);
	assert_int_equal(((struct sockaddr_in6 *)&address)->sin6_port, htons(65535));
	assert_int_equal(agent_forward_parse("10.0.0.1 08", 11, &address, NULL), -EINVAL);
	assert_int_equal(agent_forward_parse("10.0.0.1 +8", 11, &address, NULL), -EINVAL);
	assert_int_equal(agent_forward_parse("10.0.0.1\0008", 10, &address, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_breaks),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
