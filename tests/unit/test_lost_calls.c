/* SPDX-License-Identifier: BSD-3-Clause */

/* Call descriptors that somebody else writes and nobody reads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "launcher/storage/lost_calls.h"

struct line {
	int device, guest;
};

static void line_open(struct line *line)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	line->device = fds[0];
	line->guest = fds[1];
}

static void line_close(const struct line *line)
{
	close(line->device);
	close(line->guest);
}

static void interrupt(const struct line *line)
{
	const uint64_t one = 1;

	assert_int_equal(write(line->device, &one, sizeof(one)), sizeof(one));
}

/* How many interrupts the guest finds. */
static int handled(const struct line *line)
{
	uint64_t value;
	int n = 0;

	while (read(line->guest, &value, sizeof(value)) == sizeof(value))
		n++;
	return n;
}

static void note(struct lost_calls *calls, uint64_t ring, int fd)
{
	const struct vhost_message m = {
		.header = { .request = VHOST_SET_VRING_CALL,
			.flags = VHOST_VERSION,
			.size = sizeof(m.payload.u64) },
		.payload.u64 = fd < 0 ? ring | VHOST_VRING_NO_FD : ring,
		.fd = { fd },
		.n_fds = fd >= 0,
	};

	lost_calls_note(calls, &m);
}

static void look(struct lost_calls *calls, int times)
{
	while (times-- > 0)
		lost_calls_look(calls);
}

static void test_raised_again(void **state)
{
	struct lost_calls calls;
	struct line line;

	line_open(&line);
	lost_calls_init(&calls);
	assert_int_equal(lost_calls_timeout_ms(&calls), -1);
	note(&calls, 1, line.device);
	assert_int_equal(lost_calls_timeout_ms(&calls), LOST_CALLS_LOOK_MS);

	look(&calls, 3);
	assert_int_equal(handled(&line), 0);
	interrupt(&line);
	look(&calls, 1); /* it may have been written just now */
	assert_int_equal(handled(&line), 1);
	look(&calls, 1);
	interrupt(&line);
	look(&calls, 2);
	assert_int_equal(handled(&line), 2);
	interrupt(&line);
	look(&calls, 3); /* the first of them knows of the one before */
	assert_int_equal(handled(&line), 4);
	look(&calls, 3);
	assert_int_equal(handled(&line), 0);

	lost_calls_close(&calls);
	assert_int_equal(lost_calls_timeout_ms(&calls), -1);
	line_close(&line);
}

/* A guest that is stopped for long reads no more than its socket takes, and nobody waits for it. */
static void test_never_read(void **state)
{
	struct lost_calls calls;
	struct line line;

	line_open(&line);
	lost_calls_init(&calls);
	note(&calls, 0, line.device);
	interrupt(&line);
	look(&calls, 100000);
	assert_true(handled(&line) > 1);
	lost_calls_close(&calls);
	line_close(&line);
}

static void test_what_is_kept(void **state)
{
	struct lost_calls calls;
	struct line old, new;
	int event = eventfd(0, EFD_NONBLOCK);

	line_open(&old);
	line_open(&new);
	lost_calls_init(&calls);
	note(&calls, 0, event);
	note(&calls, LOST_CALLS_RINGS, old.device);
	assert_int_equal(lost_calls_timeout_ms(&calls), -1);

	note(&calls, LOST_CALLS_RINGS - 1, old.device);
	interrupt(&old);
	look(&calls, 1);
	note(&calls, LOST_CALLS_RINGS - 1, new.device);
	look(&calls, 3);
	assert_int_equal(handled(&old), 1);
	interrupt(&new);
	look(&calls, 2);
	assert_int_equal(handled(&new), 2);
	note(&calls, LOST_CALLS_RINGS - 1, -1);
	assert_int_equal(lost_calls_timeout_ms(&calls), -1);

	/* Nothing is kept open: the guest sees the device go. */
	close(new.device);
	assert_int_equal(read(new.guest, &(uint64_t) { 0 }, sizeof(uint64_t)), 0);
	close(new.guest);
	close(event);
	line_close(&old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_raised_again),
		cmocka_unit_test(test_never_read),
		cmocka_unit_test(test_what_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
