/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Guests and VMMs that lie. A bad offload request costs its frame; a broken ring or message costs
 * the guest its connection; neither costs anybody else anything. Each attack is one row of a table:
 * what it is called, what it does, and what it must have cost.
 */

#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/attack.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static struct guests guests;
static struct packet out;

static int start(void **state)
{
	attack_start(&guests);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

/* ---- offload requests that do not fit the frame ---- */

#define NEEDS VIRTIO_NET_HDR_F_NEEDS_CSUM

static const struct bad_offload {
	const char *name;
	struct virtio_net_hdr hdr;
} bad_offloads[] = {
	{ "csum_start at the frame's end", { .flags = NEEDS, .csum_start = 1000 } },
	{ "csum_start far beyond", { .flags = NEEDS, .csum_start = 65535 } },
	{ "checksum field beyond the end",
		{ .flags = NEEDS, .csum_start = 990, .csum_offset = 16 } },
	{ "checksum field half beyond the end",
		{ .flags = NEEDS, .csum_start = 983, .csum_offset = 16 } },
	{ "csum_start + csum_offset wraps",
		{ .flags = NEEDS, .csum_start = 34, .csum_offset = 65535 } },
	{ "csum_start in the Ethernet header", { .flags = NEEDS, .csum_start = 3 } },
	{ "segmentation without size", { .flags = NEEDS,
					       .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					       .csum_start = 34,
					       .csum_offset = 16 } },
	{ "UDP segmentation of a TCP frame without checksum request",
		{ .gso_type = GSO_UDP_L4, .gso_size = 500 } },
	{ "UDP fragmentation", { .flags = NEEDS,
				       .gso_type = VIRTIO_NET_HDR_GSO_UDP,
				       .gso_size = 500,
				       .csum_start = 34,
				       .csum_offset = 6 } },
	{ "unknown segmentation", { .flags = NEEDS,
					  .gso_type = 7,
					  .gso_size = 500,
					  .csum_start = 34,
					  .csum_offset = 16 } },
	{ "TCP segmentation with the checksum elsewhere",
		{ .flags = NEEDS,
			.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
			.gso_size = 500,
			.csum_start = 34,
			.csum_offset = 6 } },
};

static void test_bad_offloads(void **state)
{
	struct packet_spec s = { .dst = 2, .src = 1, .payload_len = 1000 - 66 };

	for (unsigned i = 0; i < N_ELEMENTS(bad_offloads); i++) {
		int64_t before = testbed_drops(&guests.t, "a", "bad_offload"), now;

		packet_build(&out, &s);
		out.hdr = bad_offloads[i].hdr;
		guest_send(&guests.f[ATTACKER], &out);
		guest_check(&guests.f[ATTACKER], frontend_drain(&guests.f[ATTACKER], RECV_MS));
		now = testbed_drops(&guests.t, "a", "bad_offload");
		if (now != before + 1)
			fail_msg("%s: %ld counted", bad_offloads[i].name, (long)(now - before));
	}
	guest_hears_nothing(&guests.f[WITNESS]);
	guests_cross(&guests, ATTACKER, WITNESS, 1000, 1);
	guests_stop(&guests);
}

/* Frames that are wrong without anything being broken: dropped, by name. */
static void test_bad_frames(void **state)
{
	struct frontend *a = &guests.f[ATTACKER];
	struct iovec iov = { .iov_base = out.byte };

	packet_plain(&out, 2, 1, 100, 0);
	for (iov.iov_len = 0; iov.iov_len < 14; iov.iov_len++)
		guest_check(a, frontend_send(a, &iov, 1, NULL));
	assert_int_equal(testbed_wait_drops(&guests.t, "a", "runt", 14), 14);
	iov.iov_len = 65590;
	guest_check(a, frontend_send(a, &iov, 1, NULL));
	assert_int_equal(testbed_wait_drops(&guests.t, "a", "too_long", 1), 1);
	guest_check(a, frontend_drain(a, RECV_MS));
	guest_hears_nothing(&guests.f[WITNESS]);
	guests_cross(&guests, ATTACKER, WITNESS, 65549, 1);
	guests_stop(&guests);
}

/* ---- messages that cannot be right ---- */

struct message_attack {
	const char *name;
	struct vu_header header;
	uint64_t payload[5]; /* as much of it as header.size says, zeros behind */
	unsigned n_fds;
};

#define V VU_VERSION

static const struct message_attack message_attacks[] = {
	{ "version 0", { VU_GET_FEATURES, 0, 0 } },
	{ "version 2", { VU_GET_FEATURES, 2, 0 } },
	{ "a reply", { VU_GET_FEATURES, V | VU_REPLY, 0 } },
	{ "request 0", { 0, V, 0 } },
	{ "request 10000", { 10000, V, 0 } },
	{ "request 2^32-1", { UINT32_MAX, V, 0 } },
	{ "payload of 4 GiB", { VU_SET_FEATURES, V, UINT32_MAX } },
	{ "payload of 4096", { VU_SET_FEATURES, V, 4096 } },
	{ "GET_FEATURES with a payload", { VU_GET_FEATURES, V, 8 } },
	{ "SET_FEATURES of 4 bytes", { VU_SET_FEATURES, V, 4 } },
	{ "SET_FEATURES of 16 bytes", { VU_SET_FEATURES, V, 16 } },
	{ "features that were not offered", { VU_SET_FEATURES, V, 8 }, { 1ull << 63 } },
	{ "protocol features not offered", { VU_SET_PROTOCOL_FEATURES, V, 8 }, { 1ull << 63 } },
	{ "SET_FEATURES with a descriptor", { VU_SET_FEATURES, V, 8 }, { 0 }, 1 },
	{ "SET_OWNER with 20 descriptors", { VU_SET_OWNER, V, 0 }, { 0 }, 20 },
	{ "ring size 0", { VU_SET_VRING_NUM, V, 8 }, { 0 } },
	{ "ring size 3", { VU_SET_VRING_NUM, V, 8 }, { 3ull << 32 } },
	{ "ring size 65536", { VU_SET_VRING_NUM, V, 8 }, { 65536ull << 32 } },
	{ "ring 2", { VU_SET_VRING_NUM, V, 8 }, { 256ull << 32 | 2 } },
	{ "base of ring 2^32-1", { VU_GET_VRING_BASE, V, 8 }, { UINT32_MAX } },
	{ "enable ring 7", { VU_SET_VRING_ENABLE, V, 8 }, { 1ull << 32 | 7 } },
	{ "address of ring 200", { VU_SET_VRING_ADDR, V, 40 }, { 200 } },
	{ "odd ring address", { VU_SET_VRING_ADDR, V, 40 }, { 0, 0x1001, 0x1001, 0x1001 } },
	{ "kick without descriptor", { VU_SET_VRING_KICK, V, 8 }, { 0 } },
	{ "call without descriptor", { VU_SET_VRING_CALL, V, 8 }, { 0 } },
	{ "kick of ring 255", { VU_SET_VRING_KICK, V, 8 }, { 255 }, 1 },
	{ "no-descriptor call with one", { VU_SET_VRING_CALL, V, 8 }, { VU_VRING_NOFD }, 1 },
	{ "table without descriptors", { VU_SET_MEM_TABLE, V, 40 }, { 1, 0, 4096, 0, 0 } },
	{ "table of 9 regions", { VU_SET_MEM_TABLE, V, 8 }, { 9 }, 8 },
	{ "table of 2^32-1 regions", { VU_SET_MEM_TABLE, V, 40 }, { UINT32_MAX, 0, 4096, 0, 0 },
		1 },
	{ "memory that is no memory", { VU_SET_MEM_TABLE, V, 40 }, { 1, 0, 4096, 0, 0 }, 1 },
	{ "inflight descriptor", { VU_SET_INFLIGHT_FD, V, 24 }, { 4096, 0, 2 }, 1 },
	{ "log", { VU_SET_LOG_BASE, V, 16 }, { 4096, 0 }, 1 },
};

static void run_message(struct frontend *f, const struct message_attack *m, int fd)
{
	uint8_t bytes[sizeof(m->header) + 4096] = { 0 };
	uint32_t size = m->header.size < 4096 ? m->header.size : 4096;
	int fds[32];

	for (unsigned i = 0; i < 32; i++)
		fds[i] = fd;
	memcpy(bytes, &m->header, sizeof(m->header));
	memcpy(bytes + sizeof(m->header), m->payload, sizeof(m->payload));
	guest_check(f, frontend_send_bytes(f, bytes, sizeof(m->header) + size, fds, m->n_fds));
}

static void test_message_attacks(void **state)
{
	struct frontend *f = &guests.f[ATTACKER];
	int fd = eventfd(0, EFD_CLOEXEC), fds;

	guests_disconnect(&guests, ATTACKER);
	usleep(50000);
	fds = testbed_count_fds(&guests.t);
	for (unsigned i = 0; i < 2 * N_ELEMENTS(message_attacks); i++) {
		const struct message_attack *m = &message_attacks[i / 2];

		/* to a fresh connection, and to a running device */
		if (i & 1) {
			guests_connect(&guests, ATTACKER, &guest_full);
		} else {
			frontend_close(f);
			guest_check(f, frontend_init(f, &guest_full));
			guest_check(f, frontend_connect(f, guests_socket(&guests, ATTACKER)));
		}
		run_message(f, m, fd);
		attack_expect_hangup(&guests, m->name);
		attack_others_go_on(&guests, m->name, i);
		frontend_close(f);
		testbed_wait_fds(&guests.t, fds);
	}
	close(fd);
	guests_connect(&guests, ATTACKER, &guest_full);
	guests_cross(&guests, ATTACKER, WITNESS, 9000, 1);
	guests_stop(&guests);
}

/* Memory whose file is shorter than it claims, or shrinks while it is in use. */
static void test_memory_attacks(void **state)
{
	struct frontend *f = &guests.f[ATTACKER];

	guests_connect(&guests, ATTACKER, &guest_full);
	f->region[0].size *= 2;
	assert_true(frontend_set_mem_table(f) < 0);
	f->region[0].size /= 2;
	attack_expect_hangup(&guests, "file too short");
	attack_others_go_on(&guests, "file too short", 1);

	guests_connect(&guests, ATTACKER, &guest_full);
	guests_cross(&guests, ATTACKER, WITNESS, 1000, 2);
	assert_int_equal(ftruncate(f->region[0].fd, 0), 0);
	for (unsigned i = 0; i < 20; i++) {
		packet_plain(&out, 1, 2, 1000, i);
		guest_send(&guests.f[WITNESS], &out);
	}
	attack_expect_hangup(&guests, "file truncated");
	attack_others_go_on(&guests, "file truncated", 2);
	guests_connect(&guests, ATTACKER, &guest_full);
	guests_cross(&guests, ATTACKER, WITNESS, 1000, 3);
	guests_stop(&guests);
}

/*
 * The call eventfd is shared with the VMM, which can make it blocking again and fill it: the
 * worker's next signal would wait for ever, and with it every port.
 */
static void test_blocking_call_descriptor(void **state)
{
	struct frontend *f = &guests.f[ATTACKER];
	const uint64_t full = UINT64_MAX - 1;
	uint64_t count;

	guests_connect(&guests, ATTACKER, &guest_full);
	(void)!read(f->queue[FRONT_RX].call, &count, sizeof(count));
	assert_int_equal(fcntl(f->queue[FRONT_RX].call, F_SETFL, 0), 0);
	assert_int_equal(write(f->queue[FRONT_RX].call, &full, sizeof(full)), sizeof(full));
	packet_plain(&out, 1, 2, 1000, 0);
	guest_send(&guests.f[WITNESS], &out);
	attack_expect_hangup(&guests, "blocking call descriptor");
	attack_others_go_on(&guests, "blocking call descriptor", 1);
	guests_connect(&guests, ATTACKER, &guest_full);
	guests_cross(&guests, ATTACKER, WITNESS, 1000, 3);
	guests_stop(&guests);
}

/*
 * The same, and then the ring is set up anew, which has it signalled: not by the control thread,
 * which would hang where nobody interrupts it.
 */
static void test_blocking_call_descriptor_of_a_new_ring(void **state)
{
	struct frontend *f = &guests.f[ATTACKER];
	const uint64_t full = UINT64_MAX - 1, index = FRONT_TX;
	int call = eventfd(0, EFD_CLOEXEC), kick = eventfd(0, EFD_CLOEXEC);

	for (unsigned i = 0; i < 3; i++) {
		uint64_t count = 0;

		guests_connect(&guests, ATTACKER, &guest_full);
		guest_check(f, frontend_set(f, VU_SET_VRING_CALL, &index, 8, &call, 1));
		assert_int_equal(fcntl(call, F_SETFL, O_NONBLOCK), 0);
		(void)!read(call, &count, sizeof(count));
		assert_int_equal(write(call, &full, sizeof(full)), sizeof(full));
		assert_int_equal(fcntl(call, F_SETFL, 0), 0);
		if (i == 0) { /* a new descriptor, the same file, for a running ring */
			guest_check(f, frontend_message(f, VU_SET_VRING_CALL, &index, 8, &call, 1));
			usleep(20000);
			assert_int_equal(fcntl(call, F_SETFL, 0), 0);
		}
		(void)frontend_message(f, VU_SET_VRING_BASE, &(uint64_t) { FRONT_TX }, 8, NULL, 0);
		(void)frontend_message(f, VU_SET_VRING_KICK, &index, 8, &kick, 1);
		attack_expect_hangup(&guests, "blocking call descriptor of a new ring");
		json_decref(testbed_call(&guests.t, "port.list"));
		attack_others_go_on(&guests, "blocking call descriptor of a new ring", i);
	}
	close(call);
	close(kick);
	guests_stop(&guests);
}

/* A peer that asks and never listens must not block the switch. */
static void test_unread_replies(void **state)
{
	static const struct vu_header ask = { VU_GET_FEATURES, V, 0 };
	struct frontend *f = &guests.f[ATTACKER];
	int sent = 0;

	fcntl(f->sock, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 20000; i++)
		if (frontend_send_bytes(f, &ask, sizeof(ask), NULL, 0) == 0)
			sent++;
	assert_true(sent > 100);
	attack_others_go_on(&guests, "unread replies", 1);
	json_decref(testbed_call(&guests.t, "port.list"));
	guests_connect(&guests, ATTACKER, &guest_full);
	guests_cross(&guests, ATTACKER, WITNESS, 1000, 3);
	guests_stop(&guests);
}

/* ---- descriptors ---- */

#define LINGER_S 30

/* A TCP socket whose close(2) waits for LINGER_S, or until *other is closed. */
static int lingering_socket(int *other)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);
	static char data[65536];

	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, len), 0);
	*other = accept(listener, NULL, NULL);
	assert_true(*other >= 0);
	close(listener);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* Where a descriptor that does not close can be put so that the switch has to close it. */
static const struct message_attack lingering_attacks[] = {
	{ "with a message that takes none", { VU_SET_OWNER, V, 0 }, { 0 }, 1 },
	{ "with an unknown request", { 10000, V, 0 }, { 0 }, 8 },
	{ "more than a message may have", { VU_SET_OWNER, V, 0 }, { 0 }, 20 },
	{ "as kick", { VU_SET_VRING_KICK, V, 8 }, { 0 }, 1 },
	{ "as call", { VU_SET_VRING_CALL, V, 8 }, { 0 }, 1 },
	{ "as error descriptor", { VU_SET_VRING_ERR, V, 8 }, { 0 }, 1 },
	{ "as memory", { VU_SET_MEM_TABLE, V, 40 }, { 1, 0, 4096, 0, 0 }, 1 },
	{ "as back-end channel", { VU_SET_BACKEND_REQ_FD, V, 0 }, { 0 }, 1 },
};

/* The switch's copies are the last (it is held until they are), and closing them takes LINGER_S.
 * Nobody waits for that. */
static void test_descriptors_that_do_not_close(void **state)
{
	static const struct vu_header again = { VU_GET_FEATURES, V, 0 };
	struct frontend *f = &guests.f[ATTACKER];
	int64_t begin = frontend_now_ms();
	int other[N_ELEMENTS(lingering_attacks)];

	for (unsigned i = 0; i < N_ELEMENTS(lingering_attacks); i++) {
		int fd = lingering_socket(&other[i]);

		guests_connect(&guests, ATTACKER, &guest_full);
		assert_int_equal(kill(guests.t.pid, SIGSTOP), 0);
		run_message(f, &lingering_attacks[i], fd);
		/* one more that is never read, in the connection itself */
		(void)frontend_send_bytes(f, &again, sizeof(again), &fd, 1);
		frontend_disconnect(f);
		close(fd);
		assert_int_equal(kill(guests.t.pid, SIGCONT), 0);
		json_decref(testbed_call(&guests.t, "port.list"));
		attack_others_go_on(&guests, lingering_attacks[i].name, i);
	}
	if (frontend_now_ms() - begin > LINGER_S * 1000 / 2)
		fail_msg("took %ld ms", (long)(frontend_now_ms() - begin));
	for (unsigned i = 0; i < N_ELEMENTS(lingering_attacks); i++)
		close(other[i]);
	guests_connect(&guests, ATTACKER, &guest_full);
	guests_cross(&guests, ATTACKER, WITNESS, 1000, 3);
	guests_stop(&guests);
}

/*
 * Thousands of descriptors, each with a message that takes it. Only the last ones are kept; a flood
 * that comes faster than they can be closed costs the connection, and never more than a few dozen.
 */
static void test_flood_of_descriptors(void **state)
{
	struct frontend *f = &guests.f[ATTACKER];
	uint64_t index = FRONT_TX;
	int pair[2], fds, r = 0;

	guests_disconnect(&guests, ATTACKER);
	usleep(50000);
	fds = testbed_count_fds(&guests.t);
	guests_connect(&guests, ATTACKER, &guest_full);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	for (unsigned i = 0; i < 3000 && r == 0; i++) {
		r = frontend_set(f, VU_SET_VRING_CALL, &index, 8, &pair[i & 1], 1);
		if (r == 0)
			r = frontend_set(f, VU_SET_BACKEND_REQ_FD, NULL, 0, pair, 1);
		assert_true(testbed_count_fds(&guests.t) < fds + 200);
	}
	assert_true(r == 0 || r == -ECONNRESET);
	close(pair[0]);
	close(pair[1]);
	guests_disconnect(&guests, ATTACKER);
	testbed_wait_fds(&guests.t, fds);
	guests_connect(&guests, ATTACKER, &guest_full);
	attack_others_go_on(&guests, "flood of descriptors", 1);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bad_offloads, start, stop),
		cmocka_unit_test_setup_teardown(test_bad_frames, start, stop),
		cmocka_unit_test_setup_teardown(test_message_attacks, start, stop),
		cmocka_unit_test_setup_teardown(test_memory_attacks, start, stop),
		cmocka_unit_test_setup_teardown(test_blocking_call_descriptor, start, stop),
		cmocka_unit_test_setup_teardown(
			test_blocking_call_descriptor_of_a_new_ring, start, stop),
		cmocka_unit_test_setup_teardown(test_unread_replies, start, stop),
		cmocka_unit_test_setup_teardown(test_descriptors_that_do_not_close, start, stop),
		cmocka_unit_test_setup_teardown(test_flood_of_descriptors, start, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
