/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * sluice-vsock and guests, clients and VMMs that break the rules: none ends the process, none makes
 * it grow, and a well-behaved connection beside it goes on.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/vsock/vsock_fixture.h"

#define PORT        1024u
#define CONNS_MAX   2048u
#define N_RANDOM    30000
#define GROWTH_KIB  8192 /* of the process, by what a guest can do without a client's help */
#define ROUND_COUNT 64

static uint8_t bytes[65536];

static void works(struct vsock_lab *lab)
{
	struct packet p;
	uint32_t host_port;
	char got[2];
	int fd = host_connect(lab, 7, &host_port);

	send(fd, "ab", 2, 0);
	guest_expect(lab, VIRTIO_VSOCK_OP_RW, &p);
	assert_memory_equal(p.data, "ab", 2);
	guest_write(lab, 7, host_port, "cd", 2);
	host_read(fd, got, 2);
	assert_memory_equal(got, "cd", 2);
	close(fd);
	guest_expect(lab, VIRTIO_VSOCK_OP_SHUTDOWN, &p);
	guest_send(lab, VIRTIO_VSOCK_OP_RST, 7, host_port);
	guest_expect_nothing(lab);
}

static void expect_reset(struct vsock_lab *lab, uint32_t from, uint32_t to)
{
	struct packet p;

	guest_expect(lab, VIRTIO_VSOCK_OP_RST, &p);
	assert_int_equal(p.h.dst_port, from);
	assert_int_equal(p.h.src_port, to);
}

/* --- headers --------------------------------------------------------------------------------- */

static void test_addresses_of_others(void **state)
{
	static const struct {
		uint64_t src, dst;
	} wrong[] = { { 43, HOST_CID }, { 0, HOST_CID }, { HOST_CID, GUEST_CID }, { GUEST_CID, 0 },
		{ GUEST_CID, 1 }, { GUEST_CID, GUEST_CID }, { GUEST_CID, UINT64_MAX },
		{ GUEST_CID | 1ull << 32, HOST_CID } };
	struct vsock_lab *lab = *state;

	lab_boot_simply(lab);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct virtio_vsock_hdr h = guest_header(VIRTIO_VSOCK_OP_REQUEST, 1, 2);

		h.src_cid = wrong[i].src;
		h.dst_cid = wrong[i].dst;
		guest_send_raw(lab, &h, NULL, 0);
	}
	works(lab);
}

static void test_types_and_operations(void **state)
{
	static const uint16_t ops[] = { VIRTIO_VSOCK_OP_INVALID, VIRTIO_VSOCK_OP_REQUEST,
		VIRTIO_VSOCK_OP_RESPONSE, 8, 255, UINT16_MAX };
	struct vsock_lab *lab = *state;
	struct virtio_vsock_hdr h;
	struct packet p;

	lab_boot_simply(lab);
	h = guest_header(VIRTIO_VSOCK_OP_REQUEST, 1, 2);
	h.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	guest_send_raw(lab, &h, NULL, 0);
	guest_expect(lab, VIRTIO_VSOCK_OP_RST, &p);
	assert_int_equal(p.h.type, VIRTIO_VSOCK_TYPE_SEQPACKET);
	h.op = VIRTIO_VSOCK_OP_RST; /* which is not answered with its like */
	guest_send_raw(lab, &h, NULL, 0);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		uint32_t host_port;
		int fd;

		guest_send(lab, ops[i], 1, 2); /* to nobody */
		expect_reset(lab, 1, 2);
		fd = host_connect(lab, PORT, &host_port);
		guest_send(lab, ops[i], PORT, host_port);
		expect_reset(lab, PORT, host_port);
		host_expect_end(fd);
		close(fd);
	}
	works(lab);
}

static void test_lengths(void **state)
{
	struct vsock_lab *lab = *state;
	static const struct {
		uint32_t says;
		size_t has;
	} wrong[] = { { 1, 0 }, { 101, 100 }, { UINT32_MAX, 100 }, { UINT32_MAX - 43, 1 },
		{ WINDOW + 1, 60000 } };
	struct iovec iov = { bytes, 1 };
	struct packet p;

	lab_boot_simply(lab);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct virtio_vsock_hdr h;
		uint32_t host_port;
		int fd = host_connect(lab, PORT, &host_port);

		h = guest_header(VIRTIO_VSOCK_OP_RW, PORT, host_port);
		h.len = wrong[i].says;
		guest_send_raw(lab, &h, bytes, wrong[i].has);
		expect_reset(lab, PORT, host_port);
		host_expect_end(fd);
		close(fd);
	}
	for (iov.iov_len = 1; iov.iov_len < 44; iov.iov_len++) /* too short for a header */
		assert_return_code(frontend_send(&lab->f, &iov, 1, NULL), errno);
	/* More than it says is not the stream's. */
	uint32_t host_port;
	int fd = host_connect(lab, PORT, &host_port);
	struct virtio_vsock_hdr h = guest_header(VIRTIO_VSOCK_OP_RW, PORT, host_port);
	char got[3];

	h.len = 3;
	guest_send_raw(lab, &h, "abcdef", 6);
	host_read(fd, got, 3);
	shutdown(fd, SHUT_RDWR);
	close(fd);
	guest_expect(lab, VIRTIO_VSOCK_OP_SHUTDOWN, &p);
	guest_send(lab, VIRTIO_VSOCK_OP_RST, PORT, host_port);
	works(lab);
}

/* --- credit ---------------------------------------------------------------------------------- */

static void test_guest_beyond_its_window(void **state)
{
	struct vsock_lab *lab = *state;
	uint32_t host_port, sent = 0;
	struct packet p;
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	/* What the socket takes, and the window; then one of these is too much. */
	for (p.h.op = 0; p.h.op != VIRTIO_VSOCK_OP_RST; sent += sizeof(bytes)) {
		assert_true(sent < 64u << 20);
		guest_write(lab, PORT, host_port, bytes, sizeof(bytes) - 44);
		guest_send(lab, VIRTIO_VSOCK_OP_CREDIT_REQUEST, PORT, host_port);
		do
			guest_recv(lab, &p);
		while (p.h.op == VIRTIO_VSOCK_OP_CREDIT_UPDATE && p.h.fwd_cnt + WINDOW / 4 < sent);
	}
	assert_int_equal(p.h.dst_port, PORT);
	assert_true(lab_is_alive(lab));
	close(fd);
}

/* Whatever it says of its own buffers, it gets what it has buffers for. */
static void test_lies_about_credit(void **state)
{
	static const uint32_t lies[] = { 0, 1, 0x7fffffff, 0x80000000, UINT32_MAX };
	struct vsock_lab *lab = *state;
	uint32_t host_port;
	struct packet p;
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (unsigned i = 0; i < 25; i++) {
		struct virtio_vsock_hdr h =
			guest_header(VIRTIO_VSOCK_OP_CREDIT_UPDATE, PORT, host_port);

		h.buf_alloc = lies[i % 5];
		h.fwd_cnt = lies[i / 5];
		guest_send_raw(lab, &h, NULL, 0);
		(void)!send(fd, bytes, 5000, MSG_NOSIGNAL);
	}
	/* The answer to a packet for nobody comes behind all that. */
	guest_send(lab, VIRTIO_VSOCK_OP_RST, PORT, host_port);
	guest_send(lab, VIRTIO_VSOCK_OP_RW, 1, 2);
	do {
		guest_recv(lab, &p);
		assert_true(p.h.op == VIRTIO_VSOCK_OP_RW ||
			    p.h.op == VIRTIO_VSOCK_OP_CREDIT_REQUEST ||
			    p.h.op == VIRTIO_VSOCK_OP_RST);
	} while (p.h.op != VIRTIO_VSOCK_OP_RST);
	assert_int_equal(p.h.dst_port, 1);
	host_expect_end(fd);
	close(fd);
	works(lab);
}

/* --- floods ---------------------------------------------------------------------------------- */

static void answers_until_quiet(struct vsock_lab *lab, unsigned n, unsigned *n_reset)
{
	*n_reset = 0;
	for (unsigned i = 0; i < n; i++) {
		struct packet p;

		guest_recv(lab, &p);
		*n_reset += p.h.op == VIRTIO_VSOCK_OP_RST;
	}
}

static void test_flood_of_requests(void **state)
{
	struct vsock_lab *lab = *state;
	int listener = host_listen(lab, 99);
	unsigned n_reset, total = 0, before;

	lab_boot_simply(lab);
	before = lab_memory_kib(lab);
	for (unsigned i = 0; i < 2 * CONNS_MAX; i += ROUND_COUNT) {
		for (unsigned k = 0; k < ROUND_COUNT; k++)
			guest_send(lab, VIRTIO_VSOCK_OP_REQUEST, 10000 + i + k, 99);
		answers_until_quiet(lab, ROUND_COUNT, &n_reset);
		total += n_reset;
	}
	assert_true(total >= CONNS_MAX);
	assert_true(lab_memory_kib(lab) < before + GROWTH_KIB);
	for (unsigned i = 0; i < 2 * CONNS_MAX; i++)
		guest_send(lab, VIRTIO_VSOCK_OP_RST, 10000 + i, 99);
	works(lab);
	close(listener);
}

/* Its answers have nowhere to go: then its packets wait, and nothing piles up here. */
static void test_flood_without_buffers(void **state)
{
	const struct front_layout none = { .buffer_size = 20 };
	struct vsock_lab *lab = *state;
	struct virtio_vsock_hdr h = guest_header(VIRTIO_VSOCK_OP_RW, 1, 2);
	struct iovec iov = { &h, sizeof(h) };
	unsigned before;

	lab_boot(lab, &none, VF_EVENT_IDX);
	before = lab_memory_kib(lab);
	lab->f.options.timeout_ms = 500;
	for (unsigned i = 0; i < 10000; i++)
		if (frontend_send(&lab->f, &iov, 1, NULL) < 0)
			break;
	assert_true(lab_is_alive(lab));
	assert_true(lab_memory_kib(lab) < before + GROWTH_KIB);
}

static void test_random_packets(void **state)
{
	struct vsock_lab *lab = *state;
	unsigned seed = 1, before;

	lab_boot_simply(lab);
	before = lab_memory_kib(lab);
	for (unsigned i = 0; i < N_RANDOM; i++) {
		struct virtio_vsock_hdr h = guest_header((uint16_t)(rand_r(&seed) % 9),
			(uint32_t)rand_r(&seed) % 4, (uint32_t)rand_r(&seed) % 4);
		size_t len = (size_t)rand_r(&seed) % 200;

		h.len = rand_r(&seed) % 4 ? (uint32_t)len : (uint32_t)rand_r(&seed);
		h.flags = (uint32_t)rand_r(&seed) % 5;
		h.type = rand_r(&seed) % 8 ? 1 : (uint16_t)rand_r(&seed);
		guest_send_raw(lab, &h, bytes, len);
		/* Somebody has to make room for the answers. */
		while (frontend_wait_used(&lab->f, frontend_rx(&lab->f), 0) == 0) {
			struct packet p;

			guest_recv(lab, &p);
		}
	}
	assert_true(lab_is_alive(lab));
	assert_true(lab_memory_kib(lab) < before + GROWTH_KIB);
}

/* --- rings and VMMs -------------------------------------------------------------------------- */

static void test_broken_ring_ends_connections_only(void **state)
{
	struct vsock_lab *lab = *state;
	uint32_t host_port;
	uint16_t base;
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	front_queue_offer(frontend_tx(&lab->f), 0x7fff);
	frontend_kick(&lab->f);
	host_expect_end(fd);
	close(fd);
	assert_true(lab_is_alive(lab));
	/* A driver that starts again finds a device that works. */
	assert_return_code(frontend_stop_queue(&lab->f, 0, &base), errno);
	assert_return_code(frontend_stop_queue(&lab->f, 1, &base), errno);
	frontend_reset_queues(&lab->f);
	frontend_fill(&lab->f);
	assert_return_code(frontend_start_queue(&lab->f, 0, 0), errno);
	assert_return_code(frontend_start_queue(&lab->f, 1, 0), errno);
	works(lab);
}

static void test_memory_that_vanishes(void **state)
{
	struct vsock_lab *lab = *state;
	uint32_t host_port;
	int fd;

	lab_boot_simply(lab);
	fd = host_connect(lab, PORT, &host_port);
	assert_return_code(ftruncate(lab->f.region[0].fd, 0), errno);
	(void)!write(lab->f.queue[1].kick, &(uint64_t) { 1 }, 8);
	host_expect_end(fd);
	assert_int_equal(lab_wait_exit(lab), 1);
	close(fd);
}

static void test_call_descriptor_that_blocks(void **state)
{
	struct vsock_lab *lab = *state;
	uint64_t full = UINT64_MAX - 1;
	int call;

	lab_boot(*state, &(struct front_layout) { .buffer_size = RX_SIZE }, 0);
	guest_expect_nothing(lab);
	call = frontend_rx(&lab->f)->call;
	frontend_rx(&lab->f)->avail->flags = 0;
	(void)!read(call, &(uint64_t) { 0 }, 8);
	assert_int_equal(write(call, &full, 8), 8);
	fcntl(call, F_SETFL, fcntl(call, F_GETFL) & ~O_NONBLOCK);
	guest_send(lab, VIRTIO_VSOCK_OP_RW, 1, 2);
	assert_int_equal(lab_wait_exit(lab), 1);
}

static void test_second_vmm_is_refused(void **state)
{
	struct vsock_lab *lab = *state;
	struct frontend second = { .sock = -1 };
	const struct frontend_options options = { .no_header = true };

	lab_boot_simply(lab);
	assert_return_code(frontend_init(&second, &options), errno);
	assert_return_code(frontend_connect(&second, lab->device), errno);
	assert_int_equal(frontend_wait_hangup(&second, 30000), 0);
	frontend_close(&second);
	works(lab);
}

/* --- clients --------------------------------------------------------------------------------- */

static void test_thousand_clients(void **state)
{
	enum { N = 1000 };
	static int fd[N];
	static uint32_t port[N];
	struct vsock_lab *lab = *state;
	const struct rlimit limit = { 4096, 4096 };
	unsigned n_fds;

	setrlimit(RLIMIT_NOFILE, &limit);
	lab_boot_simply(lab);
	n_fds = lab_n_fds(lab);
	for (unsigned i = 0; i < N; i++)
		fd[i] = host_connect(lab, PORT + i, &port[i]);
	for (unsigned i = 0; i < N; i++) {
		struct packet p;
		char got[4];

		send(fd[i], &i, sizeof(i), 0);
		guest_expect(lab, VIRTIO_VSOCK_OP_RW, &p);
		assert_int_equal(p.h.dst_port, PORT + i);
		assert_memory_equal(p.data, &i, sizeof(i));
		guest_write(lab, PORT + i, port[i], &i, sizeof(i));
		host_read(fd[i], got, sizeof(got));
		assert_memory_equal(got, &i, sizeof(i));
	}
	for (unsigned i = 0; i < N; i++) {
		struct packet p;

		close(fd[i]);
		guest_expect(lab, VIRTIO_VSOCK_OP_SHUTDOWN, &p);
		guest_send(lab, VIRTIO_VSOCK_OP_RST, p.h.dst_port, p.h.src_port);
	}
	guest_expect_nothing(lab);
	lab_await_n_fds(lab, n_fds);
}

#define with_lab(test) cmocka_unit_test_setup_teardown(test, lab_set_up, lab_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_lab(test_addresses_of_others),
		with_lab(test_types_and_operations),
		with_lab(test_lengths),
		with_lab(test_guest_beyond_its_window),
		with_lab(test_lies_about_credit),
		with_lab(test_flood_of_requests),
		with_lab(test_flood_without_buffers),
		with_lab(test_random_packets),
		with_lab(test_broken_ring_ends_connections_only),
		with_lab(test_memory_that_vanishes),
		with_lab(test_call_descriptor_that_blocks),
		with_lab(test_second_vmm_is_refused),
		with_lab(test_thousand_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
