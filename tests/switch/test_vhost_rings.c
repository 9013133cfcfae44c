/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Plain frames of every length through every shape of descriptor chain, between two guests. Each
 * frame must arrive byte for byte. The front-end finds lost interrupts, used lengths beyond a
 * buffer, buffers used twice and bytes written outside of buffers by itself.
 */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#define LEN_MIN      60
#define LEN_MAX      65550
#define BURST_FRAMES 16
#define BURST_BYTES  60000 /* fits the smallest receive queue used here */

struct shape {
	const char *name;
	struct front_layout layout;
	uint64_t without; /* features not to negotiate */
	uint32_t len_max; /* 0: LEN_MAX */
	uint16_t ring_size;
};

static const struct shape senders[] = {
	{ "one descriptor", { 0 } },
	{ "header apart", { .first_piece = FRONT_HEADER } },
	{ "header apart, 17 pieces", { .first_piece = FRONT_HEADER, .n_pieces = 17 } },
	{ "header in two", { .first_piece = 5 } },
	{ "Ethernet header in two", { .first_piece = 21 } },
	{ "IP header cut at 41", { .first_piece = 41, .n_pieces = 2 } },
	{ "60 pieces", { .n_pieces = 60 } },
	{ "indirect", { .indirect = true } },
	{ "indirect, header apart", { .indirect = true, .first_piece = FRONT_HEADER } },
	{ "indirect, header apart, 17 pieces",
		{ .indirect = true, .first_piece = FRONT_HEADER, .n_pieces = 17 } },
	{ "indirect, 60 pieces", { .indirect = true, .n_pieces = 60 } },
	{ "ring of 2", { 0 }, .ring_size = 2 },
	{ "ring of 1024", { .first_piece = FRONT_HEADER }, .ring_size = 1024 },
};

#define NO_MERGE VF_MRG_RXBUF

static const struct shape receivers[] = {
	{ "mergeable 4096", { .buffer_size = 4096 } },
	{ "mergeable 1526", { .buffer_size = 1526 } },
	{ "mergeable 512", { .buffer_size = 512 } },
	{ "mergeable 4096, header apart", { .buffer_size = 4096, .first_piece = FRONT_HEADER } },
	{ "mergeable 4096, three pieces",
		{ .buffer_size = 4096, .first_piece = 5, .n_pieces = 2 } },
	{ "mergeable 4096, indirect", { .buffer_size = 4096, .indirect = true } },
	{ "mergeable 4096, indirect, 4 pieces",
		{ .buffer_size = 4096, .indirect = true, .n_pieces = 4 } },
	{ "mergeable, all in one", { .buffer_size = 65562 } },
	{ "big", { .buffer_size = 65562 }, NO_MERGE },
	{ "big, header apart, 17 pieces",
		{ .buffer_size = 65562, .first_piece = FRONT_HEADER, .n_pieces = 17 }, NO_MERGE },
	{ "big, indirect, 17 pieces",
		{ .buffer_size = 65562,
			.first_piece = FRONT_HEADER,
			.n_pieces = 17,
			.indirect = true },
		NO_MERGE },
	{ "1526", { .buffer_size = 1526 }, NO_MERGE, 1514 },
	{ "1526, header apart", { .buffer_size = 1526, .first_piece = FRONT_HEADER }, NO_MERGE,
		1514 },
	{ "1526, indirect", { .buffer_size = 1526, .indirect = true }, NO_MERGE, 1514 },
	{ "mergeable 65562, ring of 4", { .buffer_size = 65562 }, .ring_size = 4 },
};

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

/* Modes in which every shape has to work. */
static const struct mode {
	const char *name;
	uint64_t without;
} modes[] = {
	{ "EVENT_IDX", 0 },
	{ "flags", VF_EVENT_IDX },
	{ "legacy", VF_VERSION_1 },
	{ "no ack", VF_PROTOCOL_FEATURES },
};

static uint8_t pattern[2 * PACKET_MAX];

static void make_plain(struct packet *p, uint32_t len)
{
	packet_plain(p, 2, 1, LEN_MIN, 0);
	memcpy(p->byte + 14, pattern + len, len - 14);
	p->len = len;
}

static void receive_one(struct guests *g, const char *what, uint32_t len)
{
	static struct packet in;
	struct virtio_net_hdr_mrg_rxbuf hdr;
	ssize_t n = frontend_recv(&g->f[1], in.byte, sizeof(in.byte), &hdr, RECV_MS);

	if (n != (ssize_t)len)
		fail_msg("%s: %zd instead of %u bytes: %s", what, n, len, g->f[1].why);
	if (memcmp(in.byte + 14, pattern + len, len - 14) != 0)
		fail_msg("%s: %u bytes arrived altered", what, len);
	if (hdr.hdr.flags || hdr.hdr.gso_type)
		fail_msg("%s: a plain frame arrived with flags %#x", what, hdr.hdr.flags);
}

/* The length after `len`: all of the small ones, and near each power of two; `step` else. */
static uint32_t next_len(uint32_t len, uint32_t step)
{
	for (uint32_t power = 4096; power <= 65536; power *= 2) {
		if (len + 64 < power && len + 64 + step > power)
			return power - 64;
		if (len + 64 >= power && len < power + 64)
			return len + 1;
	}
	return len < 1600 ? len + 1 : len + step;
}

static unsigned cross_all(struct guests *g, const char *what, uint32_t len_max, uint32_t step)
{
	static struct packet out;
	uint32_t burst[BURST_FRAMES], len = LEN_MIN;
	unsigned total = 0, max = g->f[1].queue[FRONT_RX].n_slots;

	if (max > BURST_FRAMES)
		max = BURST_FRAMES;
	while (len <= len_max) {
		unsigned n = 0;

		for (uint32_t bytes = 0;
			n < max && len <= len_max && (n == 0 || bytes < BURST_BYTES);
			len = next_len(len, step)) {
			struct iovec iov = { .iov_base = out.byte, .iov_len = len };

			bytes += len;
			if (n && bytes > BURST_BYTES)
				break;
			make_plain(&out, len);
			guest_check(&g->f[0], frontend_queue_frame(&g->f[0], &iov, 1, NULL));
			burst[n++] = len;
		}
		frontend_kick(&g->f[0]);
		for (unsigned i = 0; i < n; i++)
			receive_one(g, what, burst[i]);
		total += n;
	}
	guest_check(&g->f[0], frontend_drain(&g->f[0], RECV_MS));
	return total;
}

static uint32_t soak_step(void)
{
	return getenv("SLUICE_SOAK") ? 1 : 409;
}

static void one_pair(
	struct guests *g, const struct shape *from, const struct shape *to, const struct mode *mode)
{
	struct frontend_options a = guest_full, b = guest_full;
	char what[160];
	unsigned n;

	a.tx = from->layout;
	a.ring_size = from->ring_size;
	a.features &= ~(from->without | mode->without);
	a.n_regions = 1 + (unsigned)(from - senders) % 3;
	b.rx = to->layout;
	b.ring_size = to->ring_size;
	b.features &= ~(to->without | mode->without);
	b.n_regions = 1 + (unsigned)(to - receivers) % 3;
	b.seal = true;
	guests_connect(g, 0, &a);
	guests_connect(g, 1, &b);
	snprintf(what, sizeof(what), "%s -> %s, %s", from->name, to->name, mode->name);
	n = cross_all(g, what, to->len_max ? to->len_max : LEN_MAX, soak_step());
	if (n == 0)
		fail_msg("%s: nothing was sent", what);
}

static struct guests guests;

static int start(void **state)
{
	packet_pattern(pattern, sizeof(pattern), 1);
	guests_start(&guests, 2, NULL);
	return 0;
}

static int start_without_spin(void **state)
{
	packet_pattern(pattern, sizeof(pattern), 1);
	guests_start(&guests, 2, "\"spin-us\": 0");
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

static void test_senders(void **state)
{
	for (unsigned m = 0; m < N_ELEMENTS(modes); m++)
		for (unsigned i = 0; i < N_ELEMENTS(senders); i++)
			one_pair(&guests, &senders[i], &receivers[0], &modes[m]);
	guests_stop(&guests);
}

static void test_receivers(void **state)
{
	for (unsigned m = 0; m < N_ELEMENTS(modes); m++)
		for (unsigned i = 0; i < N_ELEMENTS(receivers); i++)
			one_pair(&guests, &senders[1], &receivers[i], &modes[m]);
	guests_stop(&guests);
}

static void test_every_length(void **state)
{
	guests_connect(&guests, 0, &guest_full);
	guests_connect(&guests, 1, &guest_full);
	assert_int_equal(cross_all(&guests, "every length", LEN_MAX, 1), LEN_MAX - LEN_MIN + 1);
	assert_int_equal(testbed_stat(&guests.t, "a", "stats64.rx.packets"), LEN_MAX - LEN_MIN + 1);
	assert_int_equal(testbed_stat(&guests.t, "b", "stats64.tx.packets"), LEN_MAX - LEN_MIN + 1);
	guests_stop(&guests);
}

/* One frame at a time, each side asleep in between: a lost wake-up is a time-out here. */
static void test_one_at_a_time(void **state)
{
	unsigned n = getenv("SLUICE_SOAK") ? 100000 : 3000;

	for (unsigned m = 0; m < 2; m++) {
		struct frontend_options o = guest_full;

		o.features &= ~modes[m].without;
		guests_connect(&guests, 0, &o);
		guests_connect(&guests, 1, &o);
		for (unsigned i = 0; i < n; i++)
			guests_cross(&guests, i & 1, !(i & 1), 60 + i % 1400, i);
	}
	guests_stop(&guests);
}

/* 65536 entries and more: indexes wrap while the ring is in use. */
static void test_index_wraps(void **state)
{
	struct frontend_options o = guest_full;

	o.ring_size = 64;
	guests_connect(&guests, 0, &o);
	guests_connect(&guests, 1, &o);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned n = 0; n < 30000;)
			n += cross_all(&guests, "wrapping", 1514, 1);
	assert_true(testbed_stat(&guests.t, "b", "stats64.tx.packets") > 65536);
	guests_stop(&guests);
}

static void test_config_space(void **state)
{
	uint8_t mac[6];
	uint16_t mtu;

	guests_connect(&guests, 1, &guest_full);
	guest_check(&guests.f[1], frontend_get_config(&guests.f[1], 0, mac, sizeof(mac)));
	assert_memory_equal(mac, "\x02\0\0\0\0\x02", 6);
	guest_check(&guests.f[1], frontend_get_config(&guests.f[1], 10, &mtu, sizeof(mtu)));
	assert_int_equal(mtu, 1500);
	assert_true(guests.f[1].features & VF_MAC);
	assert_true(guests.f[1].features & VF_MTU);
	guests_stop(&guests);
}

/* Guest 1's own end of its call socket comes to hold so many interrupts, at least. */
static void expect_unread(int call, int n)
{
	int64_t until = frontend_now_ms() + 30000;
	int bytes = 0;

	while (bytes < n * 8) {
		if (frontend_now_ms() > until)
			fail_msg("%d bytes of interrupts, and not %d", bytes, n * 8);
		poll(NULL, 0, 5);
		assert_return_code(ioctl(call, FIONREAD, &bytes), errno);
	}
}

/*
 * UML loses interrupts, and what we interrupt it by is a socket. One that does not read it has not
 * asked for more than the first; it gets another whenever there is something new for it.
 */
static void test_lost_interrupts(void **state)
{
	uint64_t rx = FRONT_RX;
	struct packet p;
	int call[2];

	guests_connect(&guests, 0, &guest_full);
	guests_connect(&guests, 1, &guest_full);
	assert_return_code(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, call), errno);
	guest_check(&guests.f[1],
		frontend_set(&guests.f[1], VU_SET_VRING_CALL, &rx, sizeof(rx), &call[1], 1));
	for (int n = 0; n < 5; n++) {
		packet_plain(&p, 2, 1, 60, (uint32_t)n);
		guest_send(&guests.f[0], &p);
		/* It sends, too, as TCP does that waits for an acknowledgement. */
		guests_cross(&guests, 1, 0, 60, (uint32_t)n);
		expect_unread(call[0], 2 + n); /* the first is repeated in any case */
	}
	close(call[0]);
	close(call[1]);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_config_space, start, stop),
		cmocka_unit_test_setup_teardown(test_senders, start, stop),
		cmocka_unit_test_setup_teardown(test_receivers, start, stop),
		cmocka_unit_test_setup_teardown(test_every_length, start, stop),
		cmocka_unit_test_setup_teardown(test_index_wraps, start, stop),
		cmocka_unit_test_setup_teardown(test_lost_interrupts, start, stop),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, start_without_spin, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
