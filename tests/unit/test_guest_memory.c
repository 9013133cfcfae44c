/* SPDX-License-Identifier: BSD-3-Clause */

/* What a VMM may and may not hand us as guest memory, and what happens when it takes it back. */

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

#include "switch/port/guest_memory.h"

#define PAGE 4096

static int memory_file(off_t len)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, len), 0);
	return fd;
}

static struct vhost_user_region region(uint64_t at, uint64_t size, uint64_t offset)
{
	return (struct vhost_user_region) { .guest_addr = at,
		.size = size,
		.user_addr = 0x700000000000 + at,
		.mmap_offset = offset };
}

static void test_addresses_are_found_in_their_region(void **state)
{
	struct vhost_user_region low = region(0x1000, 2 * PAGE, PAGE),
				 high = region(0x9000, PAGE, 0);
	struct guest_memory m = { 0 };
	int fd = memory_file(8 * PAGE);
	uint8_t mark = 0x5a;

	assert_int_equal(guest_memory_add(&m, &low, fd, NULL), 0);
	assert_int_equal(guest_memory_add(&m, &high, fd, NULL), 0);
	assert_int_equal(pwrite(fd, &mark, 1, PAGE + 5), 1);
	assert_int_equal(guest_memory_find(&m, 0x1005)->host[5], mark);
	assert_null(guest_memory_find(&m, 0x3000));
	assert_null(guest_memory_find(&m, 0));
	assert_int_equal(*(uint8_t *)guest_memory_from_user(&m, 0x700000001005, 1), mark);
	assert_non_null(guest_memory_from_user(&m, 0x700000001000, 2 * PAGE));
	assert_null(guest_memory_from_user(&m, 0x700000001000, 2 * PAGE + 1));
	assert_null(guest_memory_from_user(&m, 0x700000001001, UINT64_MAX));
	guest_memory_clear(&m);
	close(fd);
}

static void refused(struct guest_memory *m, struct vhost_user_region r, int fd)
{
	unsigned before = m->n;
	struct err err = { "" };

	assert_true(guest_memory_add(m, &r, fd, &err) < 0);
	assert_true(err.text[0] != '\0');
	assert_int_equal(m->n, before);
}

static void test_bad_regions_change_nothing(void **state)
{
	struct guest_memory m = { 0 };
	int fd = memory_file(4 * PAGE), disk = open("/proc/self/exe", O_RDONLY), zero[2];
	struct vhost_user_region good = region(0x1000, 2 * PAGE, 0);

	assert_int_equal(guest_memory_add(&m, &good, fd, NULL), 0);
	refused(&m, region(0x9000, 0, 0), fd);
	refused(&m, region(0x2000, PAGE, 0), fd);                    /* overlaps */
	refused(&m, region(0x9000, 5 * PAGE, 0), fd);                /* longer than the file */
	refused(&m, region(0x9000, PAGE, 4 * PAGE), fd);             /* behind its end */
	refused(&m, region(UINT64_MAX - PAGE + 1, 2 * PAGE, 0), fd); /* wraps */
	refused(&m, region(0x9000, PAGE, UINT64_MAX - 10), fd);
	refused(&m, region(0x9000, PAGE, 0), disk);
	assert_int_equal(pipe(zero), 0);
	refused(&m, region(0x9000, PAGE, 0), zero[0]);
	for (unsigned i = 1; i < GUEST_MEMORY_REGIONS_MAX; i++) {
		struct vhost_user_region r = region(0x100000 * i, PAGE, 0);

		assert_int_equal(guest_memory_add(&m, &r, fd, NULL), 0);
	}
	refused(&m, region(0x90000000, PAGE, 0), fd);
	guest_memory_clear(&m);
	close(zero[0]);
	close(zero[1]);
	close(disk);
	close(fd);
}

static void test_regions_are_removed_by_what_they_are(void **state)
{
	struct guest_memory m = { 0 };
	int fd = memory_file(4 * PAGE);
	struct vhost_user_region a = region(0x1000, PAGE, 0), b = region(0x5000, PAGE, PAGE);

	assert_int_equal(guest_memory_add(&m, &a, fd, NULL), 0);
	assert_int_equal(guest_memory_add(&m, &b, fd, NULL), 0);
	assert_int_equal(guest_memory_remove(&m, &a), 0);
	assert_int_equal(guest_memory_remove(&m, &a), -ENOENT);
	assert_null(guest_memory_find(&m, 0x1000));
	assert_non_null(guest_memory_find(&m, 0x5000));
	guest_memory_clear(&m);
	close(fd);
}

/* As QEMU adds and removes them: once for each queue pair. */
static void test_regions_added_twice_are_removed_twice(void **state)
{
	struct guest_memory m = { 0 };
	int fd = memory_file(4 * PAGE), other = memory_file(4 * PAGE), same = dup(fd);
	struct vhost_user_region r = region(0x1000, PAGE, PAGE);

	assert_int_equal(guest_memory_add(&m, &r, fd, NULL), 0);
	assert_int_equal(guest_memory_add(&m, &r, same, NULL), 0);
	assert_int_equal(m.n, 1);
	refused(&m, r, other);                    /* another file */
	refused(&m, region(0x1000, PAGE, 0), fd); /* another part of it */
	refused(&m, region(0x1000, 2 * PAGE, PAGE), fd);
	assert_int_equal(guest_memory_remove(&m, &r), 0);
	assert_non_null(guest_memory_find(&m, 0x1000));
	assert_int_equal(guest_memory_remove(&m, &r), 0);
	assert_null(guest_memory_find(&m, 0x1000));
	assert_int_equal(guest_memory_remove(&m, &r), -ENOENT);
	close(same);
	close(other);
	close(fd);
}

/* A sparse file costs its maker nothing: what is mapped of it is bounded all the same. */
static void test_total_size_is_bounded(void **state)
{
	struct guest_memory m = { 0 };
	int fd = memory_file((off_t)GUEST_MEMORY_SIZE_MAX * 2);
	struct vhost_user_region most = region(0, GUEST_MEMORY_SIZE_MAX - PAGE, 0),
				 rest = region(GUEST_MEMORY_SIZE_MAX, PAGE, 0);

	refused(&m, region(0, GUEST_MEMORY_SIZE_MAX + PAGE, 0), fd);
	assert_int_equal(guest_memory_add(&m, &most, fd, NULL), 0);
	refused(&m, region(GUEST_MEMORY_SIZE_MAX, 2 * PAGE, 0), fd);
	assert_int_equal(guest_memory_add(&m, &rest, fd, NULL), 0);
	guest_memory_clear(&m);
	close(fd);
}

static void test_seals_are_seen(void **state)
{
	static const struct {
		int seals;
		bool sealed;
	} rows[] = { { 0, false }, { F_SEAL_GROW, false }, { F_SEAL_SHRINK, true },
		{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, true } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		struct vhost_user_region r = region(0x1000, PAGE, 0);
		struct guest_memory m = { 0 };

		assert_int_equal(ftruncate(fd, PAGE), 0);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, rows[i].seals), 0);
		assert_int_equal(guest_memory_add(&m, &r, fd, NULL), 0);
		assert_int_equal(m.region[0].sealed, rows[i].sealed);
		guest_memory_clear(&m);
		close(fd);
	}
}

static void test_truncated_memory_is_survived_and_told(void **state)
{
	struct guest_memory m = { 0 }, other = { 0 };
	int fd = memory_file(4 * PAGE), fd2 = memory_file(PAGE),
	    attention = eventfd(0, EFD_NONBLOCK);
	struct vhost_user_region r = region(0x1000, 4 * PAGE, 0), r2 = region(0x1000, PAGE, 0);
	uint64_t raised = 0;

	assert_int_equal(guest_memory_guard(attention), 0);
	assert_int_equal(guest_memory_add(&m, &r, fd, NULL), 0);
	assert_int_equal(guest_memory_add(&other, &r2, fd2, NULL), 0);
	guest_memory_find(&m, 0x1000)->host[3 * PAGE] = 1;
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_false(guest_memory_lost(&m));
	assert_int_equal(*(volatile uint8_t *)(guest_memory_find(&m, 0x1000)->host + 3 * PAGE), 0);
	assert_true(guest_memory_lost(&m));
	assert_false(guest_memory_lost(&other));
	assert_int_equal(read(attention, &raised, sizeof(raised)), sizeof(raised));
	guest_memory_clear(&m);
	guest_memory_clear(&other);
	close(attention);
	close(fd2);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_are_found_in_their_region),
		cmocka_unit_test(test_bad_regions_change_nothing),
		cmocka_unit_test(test_regions_are_removed_by_what_they_are),
		cmocka_unit_test(test_regions_added_twice_are_removed_twice),
		cmocka_unit_test(test_total_size_is_bounded),
		cmocka_unit_test(test_seals_are_seen),
		cmocka_unit_test(test_truncated_memory_is_survived_and_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
