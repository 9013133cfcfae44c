/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/checksum.h"

#include <string.h>

#include "switch/datapath/frame.h"

/*
 * One's complement addition does not care for the width of its words (RFC 1071, section 2): we
 * add 64 bits at a time and fold once. Four independent sums, each 128 bits wide so that no carry
 * is lost, keep the adder busy.
 */

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* a + b with the carry added back in. */
static inline uint64_t add_carry(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static inline uint64_t fold128(unsigned __int128 sum)
{
	return add_carry((uint64_t)sum, (uint64_t)(sum >> 64));
}

static uint64_t sum_bytes(const uint8_t *p, size_t len)
{
	unsigned __int128 a = 0, b = 0, c = 0, d = 0;
	uint64_t tail = 0;

	for (; len >= 32; p += 32, len -= 32) {
		a += load64(p);
		b += load64(p + 8);
		c += load64(p + 16);
		d += load64(p + 24);
	}
	for (; len >= 8; p += 8, len -= 8)
		a += load64(p);
	memcpy(&tail, p, len);
	b += tail;
	return fold128(a + b + c + d);
}

static inline uint16_t fold16(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t len, size_t so_far)
{
	uint64_t part = sum_bytes(data, len);

	if (so_far & 1)
		part = __builtin_bswap16(fold16(part));
	return add_carry(sum, part);
}

uint16_t checksum_fold(uint64_t sum)
{
	return (uint16_t)~fold16(sum);
}

uint64_t checksum_frame(const struct frame *f, uint32_t start, uint32_t end)
{
	uint32_t len = f->head_len < end ? f->head_len - start : end - start;
	uint64_t sum = checksum_add(0, f->head + start, len, 0);
	uint32_t so_far = len;

	for (unsigned i = 0; i < f->n_segs && start + so_far < end; i++) {
		len = end - start - so_far;
		if (len > f->seg[i].iov_len)
			len = (uint32_t)f->seg[i].iov_len;
		sum = checksum_add(sum, f->seg[i].iov_base, len, so_far);
		so_far += len;
	}
	return sum;
}
