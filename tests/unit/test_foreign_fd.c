/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Descriptors whose close(2) waits: a TCP socket with SO_LINGER whose peer does not read, and the
 * places it can hide in. Whoever hands them to a closer goes on at once.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/unix_socket.h"
#include "switch/port/foreign_fd.h"

#define LINGER_S    60
#define N_MORE      200
#define PROMPT      20000 /* ms; far more than a close() takes, far less than LINGER_S */
#define PATIENCE_MS 30000

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool wait_closed(int fd)
{
	int64_t deadline = now_ms() + PATIENCE_MS;

	while (is_open(fd) && now_ms() < deadline)
		usleep(1000);
	return !is_open(fd);
}

/* A pair of connected sockets; closing [0] waits for LINGER_S, or until [1] is closed. */
static void make_lingering(int pair[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);
	char data[65536] = { 0 };

	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(pair[0], (struct sockaddr *)&addr, len), 0);
	pair[1] = accept(listener, NULL, NULL);
	assert_true(pair[1] >= 0);
	close(listener);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(pair[0], data, sizeof(data), MSG_DONTWAIT) > 0)
		;
}

static void test_what_cannot_wait_is_closed_at_once(void **state)
{
	struct foreign_closer *c = foreign_closer_new();
	int event = eventfd(0, EFD_CLOEXEC), memory = memfd_create("m", MFD_CLOEXEC);

	foreign_fd_close(c, -1);
	foreign_fd_close(c, event);
	assert_false(is_open(event));
	foreign_fd_close(c, memory);
	assert_false(is_open(memory));
	foreign_closer_free(c);
}

static void test_everything_else_is_closed_soon(void **state)
{
	struct foreign_closer *c = foreign_closer_new();
	int fds[3] = { open("/", O_RDONLY | O_CLOEXEC), open("/dev/null", O_RDWR | O_CLOEXEC),
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };

	for (unsigned i = 0; i < 3; i++)
		foreign_fd_close(c, fds[i]);
	for (unsigned i = 0; i < 3; i++)
		assert_true(wait_closed(fds[i]));
	/* and again, when the thread may have gone */
	fds[0] = open("/", O_RDONLY | O_CLOEXEC);
	foreign_fd_close(c, fds[0]);
	assert_true(wait_closed(fds[0]));
	foreign_closer_free(c);
}

static void test_a_lingering_socket_holds_nobody_up(void **state)
{
	struct foreign_closer *c = foreign_closer_new();
	int64_t begin = now_ms();
	int pair[2], more[N_MORE];

	make_lingering(pair);
	foreign_fd_close(c, pair[0]);
	assert_true(wait_closed(pair[0])); /* the closer has begun with it */
	for (unsigned i = 0; i < N_MORE; i++) {
		more[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		foreign_fd_close(c, more[i]);
	}
	assert_true(now_ms() - begin < PROMPT);
	assert_true(foreign_closer_stuck(c));
	assert_true(is_open(more[N_MORE - 1]));
	close(pair[1]); /* with unread data: a reset, which ends the wait */
	assert_true(wait_closed(more[0]) && wait_closed(more[N_MORE - 1]));
	assert_false(foreign_closer_stuck(c));
	foreign_closer_free(c);
}

/* In the unread queue of a unix socket: closing that one closes it, too. */
static void test_a_socket_in_a_socket(void **state)
{
	struct foreign_closer *c = foreign_closer_new();
	int64_t begin = now_ms();
	int pair[2], outer[2];

	make_lingering(pair);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, outer), 0);
	assert_int_equal(unix_send_fds(outer[1], "x", 1, &pair[0], 1), 1);
	close(pair[0]);
	close(outer[1]);
	foreign_fd_close(c, outer[0]);
	assert_true(now_ms() - begin < PROMPT);
	/* The closer's user need not wait for it either. */
	foreign_closer_free(c);
	assert_true(now_ms() - begin < PROMPT);
	close(pair[1]);
	assert_true(wait_closed(outer[0]));
}

/* A connection's unread queue is emptied before it is closed: nothing is left for the closer. */
static void test_a_connection_full_of_descriptors(void **state)
{
	struct foreign_closer *c = foreign_closer_new();
	int ends[2], event = eventfd(0, EFD_CLOEXEC), memory = memfd_create("m", MFD_CLOEXEC);
	int fds[2] = { event, memory }, pair[2];
	int64_t begin = now_ms();

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	make_lingering(pair);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(unix_send_fds(ends[1], "xy", 2, fds, 2), 2);
	assert_int_equal(unix_send_fds(ends[1], "x", 1, &pair[0], 1), 1);
	close(pair[0]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	foreign_connection_close(c, ends[0]);
	assert_true(now_ms() - begin < PROMPT);
	assert_false(is_open(ends[0]));
	close(pair[1]);
	close(ends[1]);
	close(event);
	close(memory);
	foreign_closer_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_cannot_wait_is_closed_at_once),
		cmocka_unit_test(test_everything_else_is_closed_soon),
		cmocka_unit_test(test_a_lingering_socket_holds_nobody_up),
		cmocka_unit_test(test_a_socket_in_a_socket),
		cmocka_unit_test(test_a_connection_full_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
