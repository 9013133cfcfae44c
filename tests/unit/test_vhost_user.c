/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The vhost-user engine without a socket: when a ring runs, when the device
 * is parked, what is answered, and who owns the descriptors.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/port/vhost_rings.h"
#include "switch/port/vhost_user.h"

#define FEATURE(n)  (1ull << (n))
#define OFFERED     (FEATURE(32) | FEATURE(30) | FEATURE(29) | FEATURE(28))
#define MEMORY_SIZE 0x10000u
#define USER        0x7f0000000000ull
#define GUEST       0x100000ull
#define N_RINGS     4u

static struct vhost_user vu;
static struct err err;
static unsigned n_quiesced, n_woken, n_watched;
static bool running_while_quiescing;
static uint32_t handling;      /* the request being carried out */
static unsigned handling_ring; /* the ring it is about, or VHOST_ALL_RINGS */
static unsigned n_parked, parked_ring, n_resumed;

static void quiesce(void *ctx)
{
	n_quiesced++;
	/* A new call descriptor is swapped in under the running ring; only the old one is waited
	 * for. */
	if (handling == VHOST_SET_VRING_CALL)
		return;
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++)
		if (handling_ring == VHOST_ALL_RINGS || handling_ring == i)
			running_while_quiescing |=
				virtqueue_state(&vu.ring[i]) >= VIRTQUEUE_DISABLED;
}

static int watch(void *ctx, const struct port *port, unsigned queue, int fd)
{
	n_watched++;
	return 0;
}

static void unwatch(void *ctx, int fd)
{
	n_watched--;
}

static void wake(void *ctx)
{
	n_woken++;
}

static const struct port_host host = {
	.quiesce = quiesce,
	.watch = watch,
	.unwatch = unwatch,
	.wake = wake,
	.attention_fd = -1,
};

static void on_parking(struct vhost_user *v, unsigned ring)
{
	n_parked++;
	parked_ring = ring;
}

static void on_resuming(struct vhost_user *v, unsigned ring)
{
	assert_int_equal(ring, parked_ring);
	for (unsigned i = 0; i < v->offer.n_rings; i++)
		if (ring == VHOST_ALL_RINGS || ring == i)
			assert_true(virtqueue_state(&v->ring[i]) <= VIRTQUEUE_PARKED);
}

static void on_resumed(struct vhost_user *v, unsigned ring)
{
	assert_int_equal(ring, parked_ring);
	n_resumed++;
}

static const struct vhost_hooks hooks = {
	.parking = on_parking,
	.resuming = on_resuming,
	.resumed = on_resumed,
};

/* Two queue pairs. */
static int set_up(void **state)
{
	struct vhost_offer offer = {
		.features = OFFERED,
		.protocol_features = FEATURE(VHOST_PROTOCOL_F_REPLY_ACK) |
				     FEATURE(VHOST_PROTOCOL_F_CONFIG) |
				     FEATURE(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |
				     FEATURE(VHOST_PROTOCOL_F_MQ),
		.n_rings = N_RINGS,
		.config = { 1, 2, 3, 4, 5, 6 },
	};

	n_quiesced = n_woken = n_watched = n_parked = n_resumed = 0;
	handling_ring = VHOST_ALL_RINGS;
	running_while_quiescing = false;
	err.text[0] = '\0';
	vhost_user_init(&vu, &host, NULL, &offer, &hooks);
	return 0;
}

static int tear_down(void **state)
{
	vhost_user_reset(&vu);
	assert_false(running_while_quiescing);
	assert_int_equal(n_watched, 0);
	assert_int_equal(n_parked, n_resumed);
	assert_int_equal(vu.owed, 0);
	return 0;
}

static struct vhost_message message(uint32_t request, uint32_t size)
{
	return (struct vhost_message) { .header = { request, VHOST_VERSION, size } };
}

static unsigned about(const struct vhost_message *m)
{
	switch (m->header.request) {
	case VHOST_SET_VRING_KICK:
		return m->payload.u64 & VHOST_VRING_IDX_MASK;
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_ADDR:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_ENABLE:
		return m->payload.state.index;
	default:
		return VHOST_ALL_RINGS;
	}
}

/* Handles it, as the server does: descriptors nobody took are closed. */
static int handle(struct vhost_message *m)
{
	int r;

	handling = m->header.request;
	handling_ring = about(m);
	r = vhost_user_handle(&vu, m, &err);
	handling = 0;
	handling_ring = VHOST_ALL_RINGS;
	for (size_t i = 0; i < m->n_fds; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	return r;
}

static int set_u64(uint32_t request, uint64_t value)
{
	struct vhost_message m = message(request, 8);

	m.payload.u64 = value;
	return handle(&m);
}

static int set_state(uint32_t request, uint32_t index, uint32_t num)
{
	struct vhost_message m = message(request, 8);

	m.payload.state = (struct vhost_vring_state_payload) { index, num };
	return handle(&m);
}

static int set_fd(uint32_t request, uint64_t value, int fd)
{
	struct vhost_message m = message(request, 8);

	m.payload.u64 = value;
	m.fd[0] = fd;
	m.n_fds = fd >= 0;
	return handle(&m);
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static int new_memory(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, MEMORY_SIZE), 0);
	return fd;
}

static int set_mem_table(int fd)
{
	struct vhost_message m = message(VHOST_SET_MEM_TABLE, 8 + 32);

	m.payload.memory.n_regions = 1;
	m.payload.memory.region[0] = (struct vhost_user_region) { GUEST, MEMORY_SIZE, USER, 0 };
	m.fd[0] = fd;
	m.n_fds = 1;
	return handle(&m);
}

static int set_addr(uint32_t index, uint64_t at)
{
	struct vhost_message m = message(VHOST_SET_VRING_ADDR, 40);

	m.payload.addr = (struct vhost_vring_addr_payload) {
		.index = index,
		.desc = at,
		.avail = at + 0x1000,
		.used = at + 0x2000,
	};
	return handle(&m);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* All but SET_VRING_ENABLE. */
static void start_ring(uint32_t index, uint64_t features)
{
	assert_int_equal(set_u64(VHOST_SET_FEATURES, features), 0);
	assert_int_equal(set_mem_table(new_memory()), 0);
	assert_int_equal(set_state(VHOST_SET_VRING_NUM, index, 64), 0);
	assert_int_equal(set_addr(index, USER), 0);
	assert_int_equal(set_fd(VHOST_SET_VRING_CALL, index, new_eventfd()), 0);
	assert_int_equal(set_fd(VHOST_SET_VRING_KICK, index, new_eventfd()), 0);
}

/* ---- the life of a ring ---- */

static void test_ring_is_disabled_until_enabled(void **state)
{
	start_ring(0, OFFERED);
	assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_DISABLED);
	assert_int_equal(virtqueue_state(&vu.ring[1]), VIRTQUEUE_STOPPED);
	assert_int_equal(set_state(VHOST_SET_VRING_ENABLE, 0, 1), 0);
	assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_LIVE);
	assert_int_equal(set_state(VHOST_SET_VRING_ENABLE, 0, 0), 0);
	assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_DISABLED);
	assert_true(n_quiesced > 0 && n_woken > 0);
}

static void test_ring_is_live_at_once_without_protocol_features(void **state)
{
	start_ring(1, OFFERED & ~FEATURE(VHOST_F_PROTOCOL_FEATURES));
	assert_int_equal(virtqueue_state(&vu.ring[1]), VIRTQUEUE_LIVE);
	assert_true(vu.ring[1].event_idx);
	assert_true(vu.ring[1].indirect);
}

/* The second SET_FEATURES of UML drops the bit, on rings that have been set up. */
static void test_dropping_protocol_features_enables(void **state)
{
	start_ring(0, OFFERED);
	assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_DISABLED);
	assert_int_equal(set_u64(VHOST_SET_FEATURES, FEATURE(32)), 0);
	assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_LIVE);
	assert_false(vu.ring[0].event_idx);
}

/* By a worker: the control thread only notes that the signal is owed, and wakes the workers. */
static void test_ring_is_signalled_when_taken_over(void **state)
{
	int call = new_eventfd(), mine = dup(call);
	uint64_t count = 0;

	assert_int_equal(set_u64(VHOST_SET_FEATURES, FEATURE(32)), 0);
	assert_int_equal(set_mem_table(new_memory()), 0);
	assert_int_equal(set_state(VHOST_SET_VRING_NUM, 2, 64), 0);
	assert_int_equal(set_addr(2, USER), 0);
	assert_int_equal(set_fd(VHOST_SET_VRING_CALL, 2, call), 0);
	assert_false(vhost_rings_owed(&vu, 1));
	n_woken = 0;
	assert_int_equal(set_fd(VHOST_SET_VRING_KICK, 2, new_eventfd()), 0);
	assert_true(n_woken > 0);
	assert_int_equal(read(mine, &count, sizeof(count)), -1);
	assert_true(vhost_rings_owed(&vu, 1));
	assert_false(vhost_rings_owed(&vu, 0));
	assert_int_equal(vhost_rings_pay(&vu, 1), 0);
	assert_false(vhost_rings_owed(&vu, 1));
	assert_int_equal(read(mine, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	assert_int_equal(vhost_rings_pay(&vu, 1), 0);
	assert_int_equal(read(mine, &count, sizeof(count)), -1);
	close(mine);

	/* a new descriptor for a running ring: what went to the old one may be lost */
	call = new_eventfd();
	mine = dup(call);
	assert_int_equal(set_fd(VHOST_SET_VRING_CALL, 2, call), 0);
	assert_int_equal(vhost_rings_pay(&vu, 1), 0);
	assert_int_equal(read(mine, &count, sizeof(count)), sizeof(count));
	close(mine);
}

/* A message about one ring parks that ring and leaves the others alone. */
static void test_only_the_ring_concerned_is_parked(void **state)
{
	static const uint32_t requests[] = { VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE,
		VHOST_SET_VRING_ENABLE };

	start_ring(0, FEATURE(32));
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		assert_int_equal(set_state(requests[i], 3, 64), 0);
		assert_int_equal(parked_ring, 3);
		assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_LIVE);
	}
	assert_int_equal(set_addr(3, USER), 0);
	assert_int_equal(parked_ring, 3);
	assert_int_equal(set_fd(VHOST_SET_VRING_KICK, 3, new_eventfd()), 0);
	assert_int_equal(parked_ring, 3);
	assert_int_equal(virtqueue_state(&vu.ring[3]), VIRTQUEUE_LIVE);
	assert_int_equal(set_state(VHOST_SET_VRING_ENABLE, 3, 0), 0);
	assert_int_equal(virtqueue_state(&vu.ring[3]), VIRTQUEUE_DISABLED);
	assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_LIVE);
	assert_int_equal(set_u64(VHOST_SET_FEATURES, FEATURE(32)), 0);
	assert_int_equal(parked_ring, VHOST_ALL_RINGS);
}

static void test_queue_number(void **state)
{
	struct vhost_message early = message(VHOST_GET_QUEUE_NUM, 0), m = early;

	assert_true(handle(&early) < 0); /* MQ was not negotiated */
	assert_int_equal(set_u64(VHOST_SET_PROTOCOL_FEATURES, FEATURE(VHOST_PROTOCOL_F_MQ)), 0);
	assert_int_equal(handle(&m), 1);
	assert_true(m.payload.u64 == N_RINGS / 2);
}

static void test_vring_base_stops_and_tells_the_index(void **state)
{
	struct vhost_message m = message(VHOST_GET_VRING_BASE, 8);

	start_ring(1, FEATURE(32));
	vu.ring[1].used->idx = 77;
	assert_int_equal(set_fd(VHOST_SET_VRING_KICK, 1, new_eventfd()), 0);
	m.payload.state.index = 1;
	vu.ring[1].taken = 77;
	n_woken = 0;
	assert_int_equal(handle(&m), 1);
	assert_true(n_woken > 0); /* who waits for this ring to make room need not any more */
	assert_int_equal(m.payload.state.num, 77);
	assert_int_equal(m.header.size, 8);
	assert_int_equal(m.header.flags, VHOST_VERSION | VHOST_FLAG_REPLY);
	assert_int_equal(virtqueue_state(&vu.ring[1]), VIRTQUEUE_STOPPED);
	assert_int_equal(n_watched, 0);
	assert_int_equal(set_fd(VHOST_SET_VRING_KICK, 1, new_eventfd()), 0);
	assert_int_equal(virtqueue_state(&vu.ring[1]), VIRTQUEUE_LIVE);
	assert_int_equal(vu.ring[1].taken, 77);
}

/* New memory without the ring in it: the ring stops; with it: it runs on, at its new place. */
static void test_ring_follows_its_memory(void **state)
{
	struct vhost_message none = message(VHOST_SET_MEM_TABLE, 8);

	start_ring(0, FEATURE(32));
	assert_int_equal(handle(&none), 0);
	assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_STOPPED);
	assert_int_equal(set_mem_table(new_memory()), 0);
	assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_LIVE);
	assert_int_equal((uint8_t *)vu.ring[0].desc - vu.memory.region[0].host, 0);
}

/* A ring whose used area sticks out of the region by its last few bytes does not start. */
static void test_ring_must_fit_its_memory(void **state)
{
	start_ring(0, FEATURE(32));
	assert_int_equal(set_addr(0, USER + MEMORY_SIZE - 0x2000 - 0x200), 0);
	assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_STOPPED);
	assert_int_equal(set_addr(0, USER + MEMORY_SIZE - 0x2000 - 0x400), 0);
	assert_int_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_LIVE);
}

static void test_broken_ring_stays_stopped(void **state)
{
	start_ring(0, FEATURE(32));
	virtqueue_break(&vu.ring[0], VIRTQUEUE_FAULT_CHAIN);
	assert_int_equal(set_u64(VHOST_SET_FEATURES, FEATURE(32)), 0);
	assert_int_not_equal(virtqueue_state(&vu.ring[0]), VIRTQUEUE_LIVE);
}

/* A ring set up anew has no fault, but its VMM has made us hang: nothing is written for it again.
 */
static void test_a_hung_signal_outlives_the_ring(void **state)
{
	int call = new_eventfd(), mine = dup(call);
	uint64_t count = 0;

	start_ring(0, FEATURE(32));
	assert_int_equal(set_fd(VHOST_SET_VRING_CALL, 0, call), 0);
	*vu.ring[0].hung = true;
	virtqueue_break(&vu.ring[0], VIRTQUEUE_FAULT_SIGNAL);
	assert_int_equal(set_state(VHOST_SET_VRING_BASE, 0, 0), 0);
	assert_int_equal(virtqueue_fault(&vu.ring[0]), VIRTQUEUE_FAULT_NONE);
	assert_true(vhost_rings_owed(&vu, 0));
	assert_int_equal(vhost_rings_pay(&vu, 0), -EIO);
	assert_int_equal(read(mine, &count, sizeof(count)), -1);
	assert_true(vhost_user_hung(&vu));
	assert_true(vhost_user_reset(&vu));
	assert_false(vhost_user_hung(&vu));
	start_ring(0, FEATURE(32));
	assert_int_equal(vhost_rings_pay(&vu, 0), 0);
	assert_false(vhost_user_reset(&vu));
	close(mine);
}

/* ---- answers ---- */

static void test_features(void **state)
{
	struct vhost_message m = message(VHOST_GET_FEATURES, 0);

	assert_int_equal(handle(&m), 1);
	assert_true(m.payload.u64 == OFFERED);
	assert_int_equal(m.header.size, 8);
	assert_true(set_u64(VHOST_SET_FEATURES, FEATURE(22)) < 0);
	assert_non_null(strstr(err.text, "SET_FEATURES"));
	assert_true(vu.features == 0);
	assert_true(set_u64(VHOST_SET_PROTOCOL_FEATURES, FEATURE(16)) < 0);
}

static void test_config_space(void **state)
{
	static const struct {
		uint32_t offset, size, answer;
	} rows[] = { { 0, 6, 12 + 6 }, { 2, 1, 12 + 1 }, { 250, 6, 12 + 6 }, { 251, 6, 0 },
		{ UINT32_MAX, 6, 0 }, { 1, UINT32_MAX, 0 }, { 0, 256, 12 + 256 } };
	struct vhost_message early = message(VHOST_GET_CONFIG, 12 + 6);

	assert_true(handle(&early) < 0);
	assert_int_equal(set_u64(VHOST_SET_PROTOCOL_FEATURES, FEATURE(VHOST_PROTOCOL_F_CONFIG)), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vhost_message m = message(
			VHOST_GET_CONFIG, rows[i].size <= 256 ? 12 + rows[i].size : 12 + 256);

		m.payload.config.offset = rows[i].offset;
		m.payload.config.size = rows[i].size;
		assert_int_equal(handle(&m), 1);
		assert_int_equal(m.header.size, rows[i].answer);
		if (rows[i].answer && rows[i].offset == 2)
			assert_int_equal(m.payload.config.region[0], 3);
	}
}

static void test_ack(void **state)
{
	struct vhost_message m = message(VHOST_SET_VRING_NUM, 8);

	m.payload.state.num = 64;
	m.header.flags |= VHOST_FLAG_NEED_ACK;
	assert_int_equal(handle(&m), 0); /* not negotiated: no answer */
	assert_int_equal(
		set_u64(VHOST_SET_PROTOCOL_FEATURES, FEATURE(VHOST_PROTOCOL_F_REPLY_ACK)), 0);
	m = message(VHOST_SET_VRING_NUM, 8);
	m.payload.state.num = 64;
	m.header.flags |= VHOST_FLAG_NEED_ACK;
	assert_int_equal(handle(&m), 1);
	assert_int_equal(m.payload.u64, 0);
	m = message(VHOST_SET_VRING_NUM, 8);
	m.payload.state.num = 65;
	m.header.flags |= VHOST_FLAG_NEED_ACK;
	assert_true(handle(&m) < 0);
	assert_true(vhost_user_nack(&vu, &m));
	assert_true(m.payload.u64 != 0);
}

/* ---- descriptors ---- */

static void test_descriptors_have_one_owner(void **state)
{
	int first = new_eventfd(), second = new_eventfd(), file = new_memory(), null;

	assert_int_equal(set_fd(VHOST_SET_VRING_CALL, 0, first), 0);
	assert_true(is_open(first));
	assert_int_equal(set_fd(VHOST_SET_VRING_CALL, 0, second), 0);
	assert_false(is_open(first));
	assert_int_equal(set_fd(VHOST_SET_VRING_CALL, 0 | VHOST_VRING_NO_FD, -1), 0);
	assert_false(is_open(second));
	/* neither an eventfd nor a pipe: could block a worker */
	assert_true(set_fd(VHOST_SET_VRING_KICK, 0, file) < 0);
	assert_false(is_open(file));
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(set_fd(VHOST_SET_VRING_CALL, 0, null) < 0);
	assert_true(set_fd(VHOST_SET_VRING_ERR, 0, open("/dev/null", O_RDWR | O_CLOEXEC)) < 0);
	assert_true(set_mem_table(open("/etc/hostname", O_RDONLY | O_CLOEXEC)) < 0);
	first = new_eventfd();
	assert_int_equal(set_fd(VHOST_SET_VRING_KICK, 1, first), 0);
	vhost_user_reset(&vu);
	assert_false(is_open(first));
}

static void test_preconditions(void **state)
{
	static const struct {
		uint32_t request, size;
		size_t n_fds;
	} bad[] = {
		{ 0, 0, 0 },
		{ 6, 16, 1 },
		{ VHOST_N_REQUESTS, 0, 0 },
		{ UINT32_MAX, 0, 0 },
		{ VHOST_GET_FEATURES, 8, 0 },
		{ VHOST_SET_FEATURES, 0, 0 },
		{ VHOST_SET_FEATURES, 8, 1 },
		{ VHOST_SET_OWNER, 0, 1 },
		{ VHOST_SET_VRING_ADDR, 32, 0 },
		{ VHOST_SET_MEM_TABLE, 4, 0 },
		{ VHOST_ADD_MEM_REG, 40, 1 }, /* not negotiated */
		{ VHOST_GET_MAX_MEM_SLOTS, 0, 0 },
		{ VHOST_SET_VRING_KICK, 8, 0 },
		{ VHOST_SET_VRING_ERR, 8, 2 },
		{ VHOST_GET_QUEUE_NUM, 0, 0 },
	};
	static const uint32_t beyond[] = { N_RINGS, VHOST_RINGS_MAX, VHOST_RINGS_MAX + 1, 255, 256,
		UINT32_MAX };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vhost_message m = message(bad[i].request, bad[i].size);

		m.n_fds = bad[i].n_fds;
		for (size_t n = 0; n < m.n_fds; n++)
			m.fd[n] = new_eventfd();
		assert_true(handle(&m) < 0);
		assert_true(err.text[0] != '\0');
	}
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		n_parked = n_resumed = 0;
		assert_true(set_state(VHOST_SET_VRING_NUM, beyond[i], 64) < 0);
		assert_true(set_state(VHOST_SET_VRING_BASE, beyond[i], 0) < 0);
		assert_true(set_state(VHOST_GET_VRING_BASE, beyond[i], 0) < 0);
		assert_true(set_state(VHOST_SET_VRING_ENABLE, beyond[i], 1) < 0);
		assert_true(set_addr(beyond[i], USER) < 0);
		if (beyond[i] <= VHOST_VRING_IDX_MASK) {
			assert_true(set_fd(VHOST_SET_VRING_KICK, beyond[i], new_eventfd()) < 0);
			assert_true(set_fd(VHOST_SET_VRING_CALL, beyond[i], new_eventfd()) < 0);
			assert_true(set_fd(VHOST_SET_VRING_ERR, beyond[i], new_eventfd()) < 0);
		}
		assert_int_equal(n_parked, 0);
	}
	assert_int_equal(set_state(VHOST_SET_VRING_NUM, N_RINGS - 1, 64), 0);
	assert_true(set_state(VHOST_SET_VRING_NUM, 0, 0) < 0);
	assert_true(set_state(VHOST_SET_VRING_NUM, 0, 48) < 0);
	assert_true(set_state(VHOST_SET_VRING_NUM, 0, 65536) < 0);
	assert_true(set_addr(0, USER + 1) < 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ring_is_disabled_until_enabled),
		TEST(test_ring_is_live_at_once_without_protocol_features),
		TEST(test_dropping_protocol_features_enables),
		TEST(test_ring_is_signalled_when_taken_over),
		TEST(test_only_the_ring_concerned_is_parked),
		TEST(test_queue_number),
		TEST(test_vring_base_stops_and_tells_the_index),
		TEST(test_ring_follows_its_memory),
		TEST(test_ring_must_fit_its_memory),
		TEST(test_broken_ring_stays_stopped),
		TEST(test_a_hung_signal_outlives_the_ring),
		TEST(test_features),
		TEST(test_config_space),
		TEST(test_ack),
		TEST(test_descriptors_have_one_owner),
		TEST(test_preconditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
