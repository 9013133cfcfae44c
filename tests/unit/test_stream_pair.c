/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/forward/stream_pair.h"

#define TOTAL (4U << 20)

/* What is written to near[0] comes out at far[0], and the other way round. */
struct bench {
	struct event_base *loop;
	struct stream_pair *pair;
	int near, far;
	bool ended;
};

static void on_ended(void *owner)
{
	struct bench *b = owner;

	b->ended = true;
	stream_pair_free(b->pair);
	b->pair = NULL;
}

static void open_bench(struct bench *b)
{
	const struct stream_pair_owner owner = { on_ended, b };
	int near[2], far[2];

	signal(SIGPIPE, SIG_IGN);
	*b = (struct bench) { .loop = event_base_new() };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, near), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, far), 0);
	b->near = near[0];
	b->far = far[0];
	b->pair = stream_pair_start(b->loop, near[1], far[1], &owner);
	assert_non_null(b->pair);
}

static void close_bench(struct bench *b)
{
	stream_pair_free(b->pair);
	close(b->near);
	close(b->far);
	event_base_free(b->loop);
}

static void turn(struct bench *b)
{
	(void)event_base_loop(b->loop, EVLOOP_NONBLOCK);
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 12));
}

/* As much as there is room for. */
static void feed(int fd, size_t *sent)
{
	uint8_t data[8192];
	size_t n = TOTAL - *sent < sizeof(data) ? TOTAL - *sent : sizeof(data);
	ssize_t taken;

	for (size_t i = 0; i < n; i++)
		data[i] = byte_at(*sent + i);
	taken = n > 0 ? write(fd, data, n) : 0;
	if (taken > 0 && (*sent += (size_t)taken) == TOTAL)
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
}

/* True at the end. */
static bool take(int fd, size_t *got)
{
	uint8_t data[8192];
	ssize_t n = read(fd, data, sizeof(data));

	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(data[i], byte_at(*got + (size_t)i));
	*got += n > 0 ? (size_t)n : 0;
	return n == 0;
}

static void test_both_ways(void **state)
{
	size_t sent[2] = { 0 }, got[2] = { 0 };
	bool end[2] = { false };
	struct bench b;

	open_bench(&b);
	while (!end[0] || !end[1]) {
		feed(b.near, &sent[0]);
		feed(b.far, &sent[1]);
		turn(&b);
		end[0] = end[0] || take(b.far, &got[0]);
		end[1] = end[1] || take(b.near, &got[1]);
	}
	assert_true(got[0] == TOTAL && got[1] == TOTAL);
	turn(&b);
	assert_true(b.ended);
	close_bench(&b);
}

static void test_half_close(void **state)
{
	struct bench b;
	char byte;

	open_bench(&b);
	assert_int_equal(shutdown(b.near, SHUT_WR), 0);
	turn(&b);
	assert_int_equal(read(b.far, &byte, 1), 0);
	assert_false(b.ended);
	assert_int_equal(write(b.far, "x", 1), 1);
	turn(&b);
	assert_int_equal(read(b.near, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(shutdown(b.far, SHUT_WR), 0);
	turn(&b);
	assert_int_equal(read(b.near, &byte, 1), 0);
	assert_true(b.ended);
	close_bench(&b);
}

/* One that does not read stops the other, and costs nothing meanwhile; then all is there. */
static void test_slow_reader(void **state)
{
	size_t sent = 0, last, got = 0;
	struct bench b;

	open_bench(&b);
	do {
		last = sent;
		feed(b.near, &sent);
		turn(&b);
	} while (sent != last);
	assert_true(sent < TOTAL);
	turn(&b);
	assert_int_equal(event_base_get_num_events(b.loop, EVENT_BASE_COUNT_ACTIVE), 0);
	while (!take(b.far, &got)) {
		feed(b.near, &sent);
		turn(&b);
	}
	assert_int_equal(got, TOTAL);
	assert_false(b.ended);
	close_bench(&b);
}

/* What can no longer be written ends both. */
static void test_break(void **state)
{
	struct bench b;
	char byte;

	open_bench(&b);
	close(b.far);
	b.far = -1;
	turn(&b);
	assert_int_equal(read(b.near, &byte, 1), 0);
	assert_false(b.ended);
	assert_int_equal(write(b.near, "x", 1), 1);
	turn(&b);
	assert_true(b.ended);
	assert_true(write(b.near, "x", 1) < 0 && errno == EPIPE);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_break),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
