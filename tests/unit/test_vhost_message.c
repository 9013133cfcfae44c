/* SPDX-License-Identifier: BSD-3-Clause */

/* vhost-user messages put together from a socket, and what is refused before it is understood. */

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/unix_socket.h"
#include "switch/port/vhost_message.h"

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_reader_takes_any_pieces(void **state)
{
	struct {
		struct vhost_header header;
		uint64_t value;
	} __attribute__((packed))
	wire = { { VHOST_SET_FEATURES, VHOST_VERSION, 8 }, 0x1122334455667788ull };
	int pair[2], fd = new_eventfd();
	struct vhost_reader r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	vhost_reader_init(&r, NULL);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(vhost_reader_fill(&r, pair[0]), 0);
		assert_int_equal(unix_send_fds(pair[1], (uint8_t *)&wire + i, 1, &fd, i == 0), 1);
	}
	assert_int_equal(vhost_reader_fill(&r, pair[0]), 1);
	assert_int_equal(r.message.header.request, VHOST_SET_FEATURES);
	assert_true(r.message.payload.u64 == wire.value);
	assert_int_equal(r.message.n_fds, 1);
	fd = r.message.fd[0];
	vhost_reader_next(&r);
	assert_false(is_open(fd));
	assert_int_equal(vhost_reader_fill(&r, pair[0]), 0);
	close(pair[1]);
	assert_int_equal(vhost_reader_fill(&r, pair[0]), -ECONNRESET);
	close(pair[0]);
}

static void test_reader_refuses(void **state)
{
	static const struct vhost_header bad[] = {
		{ VHOST_GET_FEATURES, 0, 0 },
		{ VHOST_GET_FEATURES, 2, 0 },
		{ VHOST_GET_FEATURES, VHOST_VERSION | VHOST_FLAG_REPLY, 0 },
		{ VHOST_GET_FEATURES, VHOST_VERSION, 100000 },
		{ VHOST_GET_FEATURES, VHOST_VERSION, UINT32_MAX },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vhost_reader r;
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		vhost_reader_init(&r, NULL);
		assert_int_equal(
			unix_send_fds(pair[1], &bad[i], sizeof(bad[i]), NULL, 0), sizeof(bad[i]));
		assert_int_equal(vhost_reader_fill(&r, pair[0]), -EPROTO);
		vhost_reader_next(&r);
		close(pair[0]);
		close(pair[1]);
	}
}

/* Eight descriptors ride on a message, however they are spread over its bytes; a ninth ends it. */
static void test_reader_counts_descriptors(void **state)
{
	static const struct vhost_header wire = { VHOST_SET_OWNER, VHOST_VERSION, 0 };
	static const size_t rows[][2] = { { 8, 0 }, { 4, 4 }, { 9, 0 }, { 5, 4 }, { 200, 0 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good = rows[i][0] + rows[i][1] <= VHOST_FDS_MAX;
		struct vhost_reader r;
		int pair[2], fd[200], lowest;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		fd[0] = new_eventfd();
		lowest = dup(fd[0]);
		close(lowest);
		for (size_t n = 1; n < 200; n++)
			fd[n] = fd[0];
		vhost_reader_init(&r, NULL);
		assert_int_equal(unix_send_fds(pair[1], &wire, 5, fd, rows[i][0]), 5);
		if (good || rows[i][1])
			assert_int_equal(vhost_reader_fill(&r, pair[0]), 0);
		assert_int_equal(
			unix_send_fds(pair[1], (const uint8_t *)&wire + 5, 7, fd, rows[i][1]), 7);
		assert_int_equal(vhost_reader_fill(&r, pair[0]), good ? 1 : -EPROTO);
		if (good)
			assert_int_equal(r.message.n_fds, rows[i][0] + rows[i][1]);
		vhost_reader_next(&r);
		/* none is left: the next descriptor is the one it would have been before */
		assert_int_equal(dup(fd[0]), lowest);
		close(lowest);
		close(fd[0]);
		close(pair[0]);
		close(pair[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reader_takes_any_pieces),
		cmocka_unit_test(test_reader_refuses),
		cmocka_unit_test(test_reader_counts_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
