/* SPDX-License-Identifier: BSD-3-Clause */

/* Packet filters, run by the kernel: on a datagram socket, whose messages are the frames. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/port/packet_filter.h"

#define FRAME_LEN 128
#define IP_TCP    6
#define IP_UDP    17
#define IP_ICMP   1

struct wire {
	int in, out;
};

static int setup(void **state)
{
	struct wire *w = malloc(sizeof(*w));
	int fd[2];

	assert_non_null(w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd), 0);
	*w = (struct wire) { fd[0], fd[1] };
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct wire *w = *state;

	close(w->in);
	close(w->out);
	free(w);
	return 0;
}

static void attach(const struct wire *w, struct packet_filter *filter)
{
	struct sock_fprog prog = { filter->len, filter->code };

	assert_int_equal(setsockopt(w->out, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
}

static void keep_from(const struct wire *w, const char *kernel)
{
	struct l4_ports ports = { 0 };
	struct packet_filter filter;

	if (kernel)
		assert_int_equal(l4_ports_parse(kernel, &ports, NULL), 0);
	packet_filter_make(&filter, &ports, false);
	attach(w, &filter);
}

/* Whether a frame of this length gets through; a refused one is gone without an error. */
static bool hears(const struct wire *w, const uint8_t *frame, size_t len)
{
	uint8_t got[FRAME_LEN];

	(void)!send(w->in, frame, len, 0);
	return recv(w->out, got, sizeof(got), 0) == (ssize_t)len;
}

/* An IPv4 packet with `options` words of options, at a fragment offset, to a port. */
static bool hears_v4(
	const struct wire *w, uint8_t proto, uint16_t port, unsigned options, uint16_t fragment)
{
	uint8_t frame[FRAME_LEN] = { [12] = 0x08, [14] = (uint8_t)(0x45 + options) };
	unsigned l4 = 34 + 4 * options;

	frame[20] = (uint8_t)(fragment >> 8);
	frame[21] = (uint8_t)fragment;
	frame[23] = proto;
	frame[l4 + 2] = (uint8_t)(port >> 8);
	frame[l4 + 3] = (uint8_t)port;
	return hears(w, frame, sizeof(frame));
}

/* An IPv6 packet, or (offset >= 0) a fragment of one. */
static bool hears_v6(const struct wire *w, uint8_t proto, uint16_t port, int offset)
{
	uint8_t frame[FRAME_LEN] = { [12] = 0x86, [13] = 0xdd, [14] = 0x60, [20] = proto };
	unsigned l4 = 54;

	if (offset >= 0) {
		frame[20] = 44;
		frame[54] = proto;
		frame[56] = (uint8_t)(offset >> 8);
		frame[57] = (uint8_t)(offset | 1);
		l4 = 62;
	}
	frame[l4 + 2] = (uint8_t)(port >> 8);
	frame[l4 + 3] = (uint8_t)port;
	return hears(w, frame, sizeof(frame));
}

static void test_without_ports_everything_is_heard(void **state)
{
	const struct wire *w = *state;
	const uint8_t runt[1] = { 0 };

	keep_from(w, NULL);
	assert_true(hears_v4(w, IP_TCP, 80, 0, 0));
	assert_true(hears_v6(w, IP_UDP, 53, -1));
	assert_true(hears(w, runt, sizeof(runt)));
}

static void test_kernel_ports_are_not_heard(void **state)
{
	const struct wire *w = *state;

	keep_from(w, "tcp/80,tcp/8000-8100,udp/53,tcp/61000-65535,udp/61000-65535");
	for (unsigned options = 0; options <= 10; options += 5) {
		assert_false(hears_v4(w, IP_TCP, 80, options, 0));
		assert_true(hears_v4(w, IP_TCP, 79, options, 0));
		assert_true(hears_v4(w, IP_TCP, 81, options, 0));
		assert_true(hears_v4(w, IP_UDP, 80, options, 0));
	}
	assert_true(hears_v4(w, IP_TCP, 53, 0, 0));
	assert_false(hears_v4(w, IP_UDP, 53, 0, 0));
	assert_true(hears_v4(w, IP_TCP, 7999, 0, 0));
	assert_false(hears_v4(w, IP_TCP, 8000, 0, 0));
	assert_false(hears_v4(w, IP_TCP, 8100, 0, 0));
	assert_true(hears_v4(w, IP_TCP, 8101, 0, 0));
	assert_true(hears_v4(w, IP_TCP, 60999, 0, 0));
	assert_false(hears_v4(w, IP_TCP, 61000, 0, 0));
	assert_false(hears_v4(w, IP_UDP, 65535, 0, 0));
}

static void test_ipv6(void **state)
{
	const struct wire *w = *state;

	keep_from(w, "tcp/80,udp/53");
	assert_false(hears_v6(w, IP_TCP, 80, -1));
	assert_true(hears_v6(w, IP_TCP, 443, -1));
	assert_true(hears_v6(w, IP_UDP, 80, -1));
	assert_false(hears_v6(w, IP_UDP, 53, -1));
	assert_false(hears_v6(w, IP_UDP, 53, 0));
	assert_true(hears_v6(w, IP_UDP, 54, 0));
}

/* What is behind other extension headers is the guest's, as the guard has it. */
static void test_ipv6_extension_headers(void **state)
{
	const struct wire *w = *state;
	const uint8_t headers[] = { 0, 43, 60, 51, 135 };

	keep_from(w, "tcp/80,udp/80");
	for (size_t i = 0; i < sizeof(headers); i++) {
		assert_true(hears_v6(w, headers[i], 80, -1));
		assert_true(hears_v6(w, headers[i], 80, 0));
	}
}

/* Later fragments carry no ports: both sides get them. */
static void test_later_fragments_are_for_both(void **state)
{
	const struct wire *w = *state;

	keep_from(w, "udp/53");
	assert_false(hears_v4(w, IP_UDP, 53, 0, 0x2000));
	assert_true(hears_v4(w, IP_UDP, 53, 0, 0x2001));
	assert_true(hears_v4(w, IP_UDP, 53, 0, 185));
	assert_true(hears_v6(w, IP_UDP, 53, 8));
}

static void test_others_are_heard(void **state)
{
	const struct wire *w = *state;
	const uint8_t arp[42] = { [12] = 0x08, [13] = 0x06 };
	/* Ends right behind its header: nothing may be loaded that is not there. */
	const uint8_t bare[34] = { [12] = 0x08, [14] = 0x45, [23] = 50 };

	keep_from(w, "tcp/1-60999,udp/1-60999");
	assert_true(hears(w, arp, sizeof(arp)));
	assert_true(hears(w, bare, sizeof(bare)));
	assert_true(hears_v4(w, IP_ICMP, 0, 0, 0));
	assert_true(hears_v6(w, 58, 0, -1));
	assert_false(hears_v4(w, IP_TCP, 1, 0, 0));
}

static void test_the_longest_list_fits(void **state)
{
	const struct wire *w = *state;
	struct l4_ports ports = { 0 };
	struct packet_filter filter;

	for (uint16_t i = 0; i < L4_PORTS_MAX; i++)
		assert_int_equal(
			l4_ports_add(&ports,
				(struct l4_port_range) { i % 2 ? L4_TCP : L4_UDP,
					(uint16_t)(100 * (i + 1)), (uint16_t)(100 * (i + 1) + 5) }),
			0);
	packet_filter_make(&filter, &ports, true);
	attach(w, &filter);
	for (uint16_t i = 0; i < L4_PORTS_MAX; i++) {
		uint16_t port = (uint16_t)(100 * (i + 1) + 5);

		assert_false(hears_v4(w, i % 2 ? IP_TCP : IP_UDP, port, 0, 0));
		assert_true(hears_v4(w, i % 2 ? IP_UDP : IP_TCP, port, 0, 0));
		assert_true(hears_v4(w, i % 2 ? IP_TCP : IP_UDP, port + 1, 0, 0));
	}
}

static void test_deaf(void **state)
{
	const struct wire *w = *state;
	struct packet_filter filter;

	packet_filter_deaf(&filter);
	attach(w, &filter);
	assert_false(hears_v4(w, IP_TCP, 80, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_without_ports_everything_is_heard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_ports_are_not_heard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ipv6, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ipv6_extension_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_fragments_are_for_both, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others_are_heard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_longest_list_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deaf, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
