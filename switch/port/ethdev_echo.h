/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a port has sent, by source address, so that it can tell its own frames when it hears them
 * again. The kernel does not show a packet socket what it sent itself, but a bridge in hairpin mode
 * (the default of bridge CNIs) sends a broadcast back. A frame that came back would move its
 * sender, a guest, to the port it came back by.
 *
 * Addresses are remembered for ECHO_SECONDS after they were last sent from: an echo is heard at
 * once, and a station that has moved to the other side is heard again soon. Buckets of four, the
 * oldest entry makes way.
 *
 * Thread-safety: any worker may write and read; an entry is one word.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/mac.h"

#define ECHO_SECONDS 2
#define ECHO_BUCKETS 256
#define ECHO_WAYS    4

/* An address in the upper 48 bits, the second it was last sent from in the lower 16; 0: free. */
struct echo_table {
	uint64_t entry[ECHO_BUCKETS][ECHO_WAYS];
};

static inline uint64_t echo_key(const struct mac *mac)
{
	uint64_t key = 0;

	memcpy(&key, mac->byte, sizeof(mac->byte));
	return key << 16;
}

static inline uint64_t *echo_bucket(struct echo_table *t, uint64_t key)
{
	return t->entry[(key * 0x9e3779b97f4a7c15u) >> 56];
}

static inline uint16_t echo_age(uint64_t entry, uint32_t now_s)
{
	return (uint16_t)(now_s - entry);
}

static inline void echo_sent(struct echo_table *t, const struct mac *mac, uint32_t now_s)
{
	uint64_t key = echo_key(mac), *bucket = echo_bucket(t, key), *slot = bucket;

	for (unsigned i = 0; i < ECHO_WAYS; i++) {
		uint64_t entry = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED);

		if ((entry & ~UINT64_C(0xffff)) == key) {
			if (entry == (key | (uint16_t)now_s))
				return;
			slot = &bucket[i];
			break;
		}
		if (echo_age(entry, now_s) >
			echo_age(__atomic_load_n(slot, __ATOMIC_RELAXED), now_s))
			slot = &bucket[i];
	}
	__atomic_store_n(slot, key | (uint16_t)now_s, __ATOMIC_RELAXED);
}

/* True if a frame of that source left by this port a moment ago. */
static inline bool echo_heard(struct echo_table *t, const struct mac *mac, uint32_t now_s)
{
	uint64_t key = echo_key(mac), *bucket = echo_bucket(t, key);

	for (unsigned i = 0; i < ECHO_WAYS; i++) {
		uint64_t entry = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED);

		if (key && (entry & ~UINT64_C(0xffff)) == key)
			return echo_age(entry, now_s) <= ECHO_SECONDS;
	}
	return false;
}
