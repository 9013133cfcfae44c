/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The device side of a split virtqueue on plain memory: what it makes of good chains, of every
 * kind of bad one, and when it thinks the guest wants to be told.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/port/virtqueue.h"

#define SIZE         8
#define LOW          0x10000u /* guest address of the first region; the second one follows it at once */
#define REGION       0x8000u
#define HIGH         (LOW + REGION)
#define END          (HIGH + REGION)
#define TABLE        0x4000u /* in the first region: an indirect table */
#define IOV_MAX_TEST 64

static uint8_t low[REGION] __attribute__((aligned(4096)));
static uint8_t high[REGION] __attribute__((aligned(4096)));
static struct guest_memory memory;
static struct virtqueue vq;
static struct iovec iov[IOV_MAX_TEST];
static uint64_t len;

static int set_up(void **state)
{
	memset(low, 0, sizeof(low));
	memset(high, 0, sizeof(high));
	memory = (struct guest_memory){
		.n = 2,
		.region = {
			{ .guest_addr = LOW, .size = REGION, .host = low },
			{ .guest_addr = HIGH, .size = REGION, .host = high },
		},
	};
	virtqueue_init(&vq);
	vq.size = SIZE;
	vq.memory = &memory;
	vq.indirect = true;
	vq.desc = (struct vring_desc *)low;
	vq.avail = (struct vring_avail *)(low + 0x1000);
	vq.used = (struct vring_used *)(low + 0x2000);
	virtqueue_start(&vq);
	len = 0;
	return 0;
}

static void set_desc(struct vring_desc *d, uint64_t addr, uint32_t n, uint16_t flags, uint16_t next)
{
	*d = (struct vring_desc) { .addr = addr, .len = n, .flags = flags, .next = next };
}

static struct vring_desc *table(void)
{
	return (struct vring_desc *)(low + TABLE);
}

static int gather(uint16_t id, bool writable)
{
	len = 0;
	return virtqueue_gather(&vq, id, writable, iov, IOV_MAX_TEST, &len);
}

static void expect_fault(int returned, enum virtqueue_fault fault)
{
	assert_int_equal(returned, -EINVAL);
	assert_int_equal(virtqueue_fault(&vq), fault);
	assert_non_null(virtqueue_fault_text[fault]);
	set_up(NULL);
}

/* ---- good chains ---- */

static void test_chain_is_gathered_in_order(void **state)
{
	set_desc(&vq.desc[5], LOW + 0x6000, 10, VRING_DESC_F_NEXT, 2);
	set_desc(&vq.desc[2], HIGH + 4, 100, VRING_DESC_F_NEXT, 7);
	set_desc(&vq.desc[7], LOW + 0x7000, 1, 0, 0);
	assert_int_equal(gather(5, false), 3);
	assert_int_equal(len, 111);
	assert_ptr_equal(iov[0].iov_base, low + 0x6000);
	assert_ptr_equal(iov[1].iov_base, high + 4);
	assert_int_equal(iov[1].iov_len, 100);
	assert_ptr_equal(iov[2].iov_base, low + 0x7000);
	assert_int_equal(virtqueue_fault(&vq), VIRTQUEUE_FAULT_NONE);
}

static void test_whole_ring_in_one_chain(void **state)
{
	for (uint16_t i = 0; i < SIZE; i++)
		set_desc(&vq.desc[i], HIGH + i, 1, i < SIZE - 1 ? VRING_DESC_F_NEXT : 0,
			(uint16_t)(i + 1));
	assert_int_equal(gather(0, false), SIZE);
	assert_int_equal(len, SIZE);
}

static void test_buffer_is_split_where_a_region_ends(void **state)
{
	set_desc(&vq.desc[0], HIGH - 100, 300, VRING_DESC_F_WRITE, 0);
	assert_int_equal(gather(0, true), 2);
	assert_int_equal(len, 300);
	assert_ptr_equal(iov[0].iov_base, low + REGION - 100);
	assert_int_equal(iov[0].iov_len, 100);
	assert_ptr_equal(iov[1].iov_base, high);
	assert_int_equal(iov[1].iov_len, 200);
}

static void test_indirect_table_longer_than_the_ring(void **state)
{
	for (uint16_t i = 0; i < 3 * SIZE; i++)
		set_desc(&table()[i], HIGH + i, 1, i < 3 * SIZE - 1 ? VRING_DESC_F_NEXT : 0,
			(uint16_t)(i + 1));
	set_desc(&vq.desc[3], LOW + TABLE, 3 * SIZE * 16, VRING_DESC_F_INDIRECT, 0);
	assert_int_equal(gather(3, false), 3 * SIZE);
	assert_int_equal(len, 3 * SIZE);
	assert_ptr_equal(iov[3 * SIZE - 1].iov_base, high + 3 * SIZE - 1);
}

/* Too many pieces is the caller's limit, not the guest's fault. */
static void test_more_pieces_than_room(void **state)
{
	for (uint16_t i = 0; i < 4; i++)
		set_desc(
			&vq.desc[i], HIGH + i, 1, i < 3 ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1));
	assert_int_equal(virtqueue_gather(&vq, 0, false, iov, 3, &len), -E2BIG);
	assert_int_equal(virtqueue_fault(&vq), VIRTQUEUE_FAULT_NONE);
	set_desc(&vq.desc[0], HIGH - 1, 2, 0, 0);
	assert_int_equal(virtqueue_gather(&vq, 0, false, iov, 1, &len), -E2BIG);
}

/* ---- bad ones ---- */

static void test_bad_heads_and_links(void **state)
{
	expect_fault(gather(SIZE, false), VIRTQUEUE_FAULT_INDEX);
	expect_fault(gather(UINT16_MAX, false), VIRTQUEUE_FAULT_INDEX);
	set_desc(&vq.desc[0], HIGH, 1, VRING_DESC_F_NEXT, SIZE);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_CHAIN);
	set_desc(&vq.desc[0], HIGH, 1, VRING_DESC_F_NEXT, 0);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_CHAIN);
	set_desc(&vq.desc[0], HIGH, 1, VRING_DESC_F_NEXT, 1);
	set_desc(&vq.desc[1], HIGH, 1, VRING_DESC_F_NEXT, 0);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_CHAIN);
}

static void test_bad_addresses(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
	} bad[] = {
		{ 0, 1 },
		{ LOW - 1, 1 },
		{ LOW - 1, 2 },
		{ END, 1 },
		{ END - 1, 2 },
		{ LOW, UINT32_MAX },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX - LOW + 1, UINT32_MAX },
		{ LOW, 0 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set_desc(&vq.desc[1], bad[i].addr, bad[i].len, 0, 0);
		expect_fault(gather(1, false), VIRTQUEUE_FAULT_ADDRESS);
	}
}

/* A region that no longer exists is not found through the lookup that found it last. */
static void test_last_region_is_checked_again(void **state)
{
	set_desc(&vq.desc[0], HIGH, 1, 0, 0);
	assert_int_equal(gather(0, false), 1);
	set_desc(&vq.desc[0], END, 1, 0, 0);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_ADDRESS);
}

static void test_bad_direction(void **state)
{
	set_desc(&vq.desc[0], HIGH, 1, VRING_DESC_F_WRITE, 0);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_DIRECTION);
	set_desc(&vq.desc[0], HIGH, 1, 0, 0);
	expect_fault(gather(0, true), VIRTQUEUE_FAULT_DIRECTION);
	set_desc(&vq.desc[0], HIGH, 1, VRING_DESC_F_NEXT, 1);
	set_desc(&vq.desc[1], HIGH, 1, VRING_DESC_F_WRITE, 0);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_DIRECTION);
}

static void indirect(uint64_t addr, uint32_t n, uint16_t flags)
{
	set_desc(&table()[0], HIGH, 1, VRING_DESC_F_NEXT, 1);
	set_desc(&table()[1], HIGH, 1, 0, 0);
	set_desc(&vq.desc[0], addr, n, VRING_DESC_F_INDIRECT | flags, 1);
}

static void test_bad_indirect_tables(void **state)
{
	indirect(LOW + TABLE, 0, 0);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_INDIRECT);
	indirect(LOW + TABLE, 33, 0);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_INDIRECT);
	indirect(END, 32, 0);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_INDIRECT);
	indirect(HIGH - 16, 32, 0); /* tables are not split */
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_INDIRECT);
	indirect(UINT64_MAX - 15, 32, 0);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_INDIRECT);
	indirect(LOW + TABLE, 32, VRING_DESC_F_NEXT);
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_INDIRECT);
	indirect(LOW + TABLE, 32, 0);
	vq.indirect = false;
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_INDIRECT);
	indirect(LOW + TABLE, 32, 0);
	table()[1].flags = VRING_DESC_F_INDIRECT;
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_INDIRECT);
	indirect(LOW + TABLE, 32, 0);
	table()[0].next = 2;
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_CHAIN);
	indirect(LOW + TABLE, 32, 0);
	table()[1] = table()[0];
	expect_fault(gather(0, false), VIRTQUEUE_FAULT_CHAIN);
	/* an indirect descriptor in the middle of a direct chain */
	set_desc(&vq.desc[4], HIGH, 1, VRING_DESC_F_NEXT, 0);
	indirect(LOW + TABLE, 32, 0);
	expect_fault(gather(4, false), VIRTQUEUE_FAULT_INDIRECT);
}

static void test_first_fault_is_kept(void **state)
{
	virtqueue_break(&vq, VIRTQUEUE_FAULT_MEMORY);
	virtqueue_break(&vq, VIRTQUEUE_FAULT_CHAIN);
	assert_int_equal(virtqueue_fault(&vq), VIRTQUEUE_FAULT_MEMORY);
	virtqueue_start(&vq);
	assert_int_equal(virtqueue_fault(&vq), VIRTQUEUE_FAULT_NONE);
}

/* ---- indexes ---- */

static void test_available(void **state)
{
	assert_int_equal(virtqueue_available(&vq), 0);
	vq.avail->idx = SIZE;
	assert_int_equal(virtqueue_available(&vq), SIZE);
	vq.avail->idx = SIZE + 1;
	assert_int_equal(virtqueue_available(&vq), 0);
	assert_int_equal(virtqueue_fault(&vq), VIRTQUEUE_FAULT_INDEX);
	set_up(NULL);
	vq.avail->idx = UINT16_MAX; /* one behind: a driver takes its buffers back */
	assert_int_equal(virtqueue_available(&vq), 0);
	vq.avail->idx = (uint16_t)-SIZE;
	assert_int_equal(virtqueue_available(&vq), 0);
	assert_int_equal(virtqueue_fault(&vq), VIRTQUEUE_FAULT_NONE);
	vq.avail->idx = (uint16_t)(-SIZE - 1);
	assert_int_equal(virtqueue_available(&vq), 0);
	assert_int_equal(virtqueue_fault(&vq), VIRTQUEUE_FAULT_INDEX);
}

static void test_resumes_at_the_used_index_and_wraps(void **state)
{
	uint16_t ids[3];

	vq.used->idx = 65534;
	vq.avail->idx = 1;
	vq.avail->ring[65534 % SIZE] = 3;
	vq.avail->ring[65535 % SIZE] = 1;
	vq.avail->ring[0] = 4;
	virtqueue_start(&vq);
	assert_int_equal(virtqueue_available(&vq), 3);
	virtqueue_peek(&vq, 3, ids);
	assert_int_equal(ids[0], 3);
	assert_int_equal(ids[1], 1);
	assert_int_equal(ids[2], 4);
	for (unsigned i = 0; i < 3; i++)
		virtqueue_put_used(&vq, i, ids[i], 100 + i);
	assert_int_equal(vq.used->idx, 65534);
	virtqueue_publish(&vq, 3);
	assert_int_equal(vq.used->idx, 1);
	assert_int_equal(vq.used->ring[65534 % SIZE].id, 3);
	assert_int_equal(vq.used->ring[65535 % SIZE].len, 101);
	assert_int_equal(vq.used->ring[0].id, 4);
	assert_int_equal(virtqueue_available(&vq), 0);
}

/* ---- notification ---- */

static void publish(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		virtqueue_put_used(&vq, i, 0, 0);
	vq.avail->idx = (uint16_t)(vq.avail->idx + n);
	virtqueue_publish(&vq, n);
}

static void test_signal_by_flag(void **state)
{
	publish(1);
	assert_true(virtqueue_wants_signal(&vq));
	vq.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	publish(1);
	assert_false(virtqueue_wants_signal(&vq));
}

static void test_signal_by_event_index(void **state)
{
	uint16_t *used_event = &vq.avail->ring[SIZE];

	vq.event_idx = true;
	vq.used->idx = vq.avail->idx = 65533;
	virtqueue_start(&vq);
	*used_event = 1000;
	publish(1); /* 65534: the first time the guest is always told */
	assert_true(virtqueue_wants_signal(&vq));
	*used_event = 65535;
	publish(1); /* 65535: the entry 65534 */
	assert_false(virtqueue_wants_signal(&vq));
	publish(3); /* 2: has passed entry 65535 */
	assert_true(virtqueue_wants_signal(&vq));
	publish(1);
	assert_false(virtqueue_wants_signal(&vq));
	*used_event = 3;
	publish(1);
	assert_true(virtqueue_wants_signal(&vq));
}

static void test_arm(void **state)
{
	vq.avail->idx = 5;
	virtqueue_disarm(&vq);
	assert_int_equal(vq.used->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(virtqueue_arm(&vq, 5));
	assert_int_equal(vq.used->flags, 0);
	assert_true(virtqueue_arm(&vq, 4));
	vq.event_idx = true;
	assert_false(virtqueue_arm(&vq, 5));
	assert_int_equal(*(uint16_t *)&vq.used->ring[SIZE], 5);
	vq.avail->idx = 6;
	assert_true(virtqueue_arm(&vq, 5));
}

static void test_signal_writes_the_eventfd(void **state)
{
	int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count = 0;

	assert_false(virtqueue_signal(&vq));
	assert_int_equal(virtqueue_set_call(&vq, call, false), -1);
	assert_true(virtqueue_signal(&vq));
	assert_true(virtqueue_signal(&vq));
	assert_int_equal(read(call, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 2);
	assert_int_equal(virtqueue_set_call(&vq, -1, false), call);
	assert_false(virtqueue_signal(&vq));
	close(call);
}

/* The kind of a descriptor goes with it. */
static void test_signal_writes_a_socket(void **state)
{
	uint64_t one = 0;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_false(virtqueue_call_is_socket(&vq));
	assert_int_equal(virtqueue_set_call(&vq, pair[0], true), -1);
	assert_true(virtqueue_call_is_socket(&vq));
	assert_false(virtqueue_call_is_unread(&vq));
	assert_true(virtqueue_signal(&vq));
	assert_true(virtqueue_call_is_unread(&vq));
	assert_int_equal(read(pair[1], &one, sizeof(one)), sizeof(one));
	assert_int_equal(one, 1);
	assert_false(virtqueue_call_is_unread(&vq));
	/* full: nobody waits for it, and that is no fault */
	while (virtqueue_signal(&vq))
		;
	assert_int_equal(virtqueue_fault(&vq), VIRTQUEUE_FAULT_NONE);
	close(pair[1]);
	assert_false(virtqueue_signal(&vq));
	assert_int_equal(virtqueue_set_call(&vq, -1, false), pair[0]);
	assert_false(virtqueue_call_is_socket(&vq));
	close(pair[0]);
}

static void on_alarm(int sig)
{
}

/* The first fault is kept; that the write hung is remembered all the same, and for all rings. */
static void test_signal_that_hangs(void **state)
{
	const struct sigaction interrupt = { .sa_handler = on_alarm };
	const struct itimerval soon = { .it_value.tv_usec = 20000 }, never = { 0 };
	const uint64_t full = UINT64_MAX - 1;
	int call = eventfd(0, EFD_CLOEXEC);
	struct virtqueue other;
	uint64_t count = 0;
	bool hung = false;

	virtqueue_init(&other);
	other.hung = vq.hung = &hung;
	(void)virtqueue_set_call(&vq, call, false);
	(void)virtqueue_set_call(&other, call, false);
	assert_int_equal(write(call, &full, sizeof(full)), sizeof(full));
	assert_int_equal(sigaction(SIGALRM, &interrupt, NULL), 0);
	/* a broken ring is not signalled: this would hang for ever */
	virtqueue_break(&vq, VIRTQUEUE_FAULT_INDEX);
	assert_false(virtqueue_signal(&vq));
	assert_false(hung);

	virtqueue_start(&vq);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_false(virtqueue_signal(&vq));
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_true(hung);
	assert_int_equal(virtqueue_fault(&vq), VIRTQUEUE_FAULT_SIGNAL);
	virtqueue_start(&vq);
	assert_int_equal(virtqueue_fault(&vq), VIRTQUEUE_FAULT_NONE);
	assert_false(virtqueue_signal(&vq));
	assert_false(virtqueue_signal(&other));
	assert_int_equal(read(call, &count, sizeof(count)), sizeof(count));
	assert_true(count == full);
	hung = false;
	assert_true(virtqueue_signal(&other));
	close(call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_chain_is_gathered_in_order, set_up),
		cmocka_unit_test_setup(test_whole_ring_in_one_chain, set_up),
		cmocka_unit_test_setup(test_buffer_is_split_where_a_region_ends, set_up),
		cmocka_unit_test_setup(test_indirect_table_longer_than_the_ring, set_up),
		cmocka_unit_test_setup(test_more_pieces_than_room, set_up),
		cmocka_unit_test_setup(test_bad_heads_and_links, set_up),
		cmocka_unit_test_setup(test_bad_addresses, set_up),
		cmocka_unit_test_setup(test_last_region_is_checked_again, set_up),
		cmocka_unit_test_setup(test_bad_direction, set_up),
		cmocka_unit_test_setup(test_bad_indirect_tables, set_up),
		cmocka_unit_test_setup(test_first_fault_is_kept, set_up),
		cmocka_unit_test_setup(test_available, set_up),
		cmocka_unit_test_setup(test_resumes_at_the_used_index_and_wraps, set_up),
		cmocka_unit_test_setup(test_signal_by_flag, set_up),
		cmocka_unit_test_setup(test_signal_by_event_index, set_up),
		cmocka_unit_test_setup(test_arm, set_up),
		cmocka_unit_test_setup(test_signal_writes_the_eventfd, set_up),
		cmocka_unit_test_setup(test_signal_writes_a_socket, set_up),
		cmocka_unit_test_setup(test_signal_that_hangs, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
