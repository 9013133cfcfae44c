/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/datapath/checksum.h"

#define BUFFER_LEN 65568

static uint8_t buffer[BUFFER_LEN + 64];

/* The definition, byte by byte in network order. */
static uint16_t naive(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (unsigned)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* As stored in a header and read back in network order. */
static uint16_t stored(uint64_t sum)
{
	uint16_t folded = checksum_fold(sum);
	uint8_t wire[2];

	memcpy(wire, &folded, 2);
	return (uint16_t)(wire[0] << 8 | wire[1]);
}

static int fill(void **state)
{
	srandom(1);
	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (uint8_t)random();
	return 0;
}

static void rfc1071_example(void **state)
{
	const uint8_t example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	assert_int_equal(stored(checksum_add(0, example, sizeof(example), 0)), 0x220d);
}

static void every_length_and_alignment(void **state)
{
	for (size_t len = 0; len < 200; len++)
		for (size_t at = 0; at < 9; at++)
			assert_int_equal(stored(checksum_add(0, buffer + at, len, 0)),
				naive(buffer + at, len));
}

static void super_frame_sizes(void **state)
{
	for (size_t len = BUFFER_LEN - 40; len <= BUFFER_LEN; len++)
		assert_int_equal(
			stored(checksum_add(0, buffer + 3, len, 0)), naive(buffer + 3, len));
}

static void pieces_of_any_size(void **state)
{
	for (unsigned round = 0; round < 20000; round++) {
		size_t len = (size_t)random() % 3000;
		size_t so_far = 0;
		uint64_t sum = 0;

		while (so_far < len) {
			size_t part = (size_t)random() % (round % 2 ? 7 : 1500);

			if (part > len - so_far)
				part = len - so_far;
			sum = checksum_add(sum, buffer + so_far, part, so_far);
			so_far += part;
		}
		assert_int_equal(stored(sum), naive(buffer, len));
	}
}

/* Every addition carries. */
static void no_carry_is_lost(void **state)
{
	static uint8_t ones[BUFFER_LEN];
	const uint8_t one[2] = { 0, 1 };
	uint64_t sum = UINT64_MAX;

	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(stored(checksum_add(0, ones, sizeof(ones), 0)), 0);
	assert_int_equal(stored(checksum_add(sum, ones, sizeof(ones), 1)), 0);
	sum = checksum_add(sum, ones, 8, 0);
	sum = checksum_add(sum, one, 2, 0);
	assert_int_equal(stored(sum), 0xfffe);
	assert_int_equal(stored(checksum_add(UINT64_MAX - 1, one, 2, 0)),
		stored(checksum_add(
			checksum_add(0, one, 2, 0), &(uint64_t) { UINT64_MAX - 1 }, 8, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc1071_example),
		cmocka_unit_test(every_length_and_alignment),
		cmocka_unit_test(super_frame_sizes),
		cmocka_unit_test(pieces_of_any_size),
		cmocka_unit_test(no_carry_is_lost),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
