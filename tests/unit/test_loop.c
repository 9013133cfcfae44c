/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "launcher/process/loop.h"

#define ROUNDS 20000

struct rounds {
	unsigned n;
};

static void on_round(evutil_socket_t fd, short what, void *arg)
{
	struct rounds *rounds = arg;

	rounds->n++;
}

static bool all_done(const void *arg)
{
	return ((const struct rounds *)arg)->n >= ROUNDS;
}

static bool never(const void *arg)
{
	return false;
}

/* A VM waits for days in one call, and each wake-up is a round. */
static void test_rounds_cost_no_memory(void **state)
{
	struct event_base *loop = event_base_new();
	struct rounds rounds = { 0 };
	int always = eventfd(1, EFD_CLOEXEC);
	struct event *event = event_new(loop, always, EV_READ | EV_PERSIST, on_round, &rounds);
	size_t before;

	assert_int_equal(event_add(event, NULL), 0);
	before = mallinfo2().uordblks;
	assert_int_equal(loop_until(loop, 86400 * 1000, all_done, &rounds), 0);
	assert_true(mallinfo2().uordblks < before + 16384);
	event_free(event);
	event_base_free(loop);
	close(always);
}

static void test_time_is_over(void **state)
{
	struct event_base *loop = event_base_new();
	double begun = loop_now_ms();

	assert_int_equal(loop_until(loop, 50, never, NULL), -ETIMEDOUT);
	assert_true(loop_now_ms() - begun >= 49);
	assert_int_equal(loop_until(loop, 0, never, NULL), -ETIMEDOUT);
	event_base_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounds_cost_no_memory),
		cmocka_unit_test(test_time_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
