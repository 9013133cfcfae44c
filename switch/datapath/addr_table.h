/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A map from IP addresses to words of 64 bits: DPDK's cuckoo hash (rte_hash), lock-free for
 * readers, with a direct-mapped cache per worker in front, as in fdb.h. The bindings and the
 * neighbour cache are made of it: a MAC address and sixteen more bits are one word, so that a
 * reader always sees a pair that belongs together.
 *
 * Each entry has a second in which it was last confirmed, for ageing; it is written at most once a
 * second. Slots of removed entries are reused after a grace period (fdb_hash.h says how).
 *
 * Addresses are what peers choose: the hash is seeded and mixes the whole key.
 *
 * The cache
 * ---------
 * What it holds, also that an address is not there, is true as long as the table's generation is
 * the one in which it was read. Every addition, change or removal ends a generation, and then each
 * address in use costs every worker one search of the hash table again: tens of nanoseconds, at
 * most ADDR_CACHE_SIZE times. So whoever lets peers change the table limits how often they may.
 *
 * Peers may also choose addresses that share a place in the cache with another's, or name so many
 * that nothing stays in it. Then that other's frames cost a search each, as the peer's own do, and
 * no more: the cache saves time when all is well, and nothing depends on it.
 *
 * Thread-safety: addr_table_find(), addr_table_find_uncached(), addr_table_seen(),
 * addr_table_touch(), addr_table_is_full(), addr_table_n_entries(): workers, registered with the
 * QSBR variable, each with its own cache, and whoever holds the owner's lock. The rest: one at a
 * time (the owner's lock).
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/ip_addr.h"
#include "lib/mac.h"

struct rte_hash;
struct rte_rcu_qsbr;

#define ADDR_CACHE_BITS 8
#define ADDR_CACHE_SIZE (1u << ADDR_CACHE_BITS)

/* Two to a cache line; indexed by the address' position in the hash table. */
struct addr_entry {
	struct ip_addr addr;
	uint64_t value;
	uint32_t seen_s; /* written by whichever worker sees it, read by anybody (atomic) */
	bool in_use;
};

/* Here for the functions that every frame calls; nobody else's business. */
struct addr_table {
	struct rte_hash *hash; /* address -> value */
	struct addr_entry *entry;
	uint32_t generation; /* written after every change of an answer, by who holds the lock */
	uint32_t n_entries;  /* likewise (atomic) */
	uint32_t n_positions;
	uint32_t size;
};

struct addr_cache_entry {
	struct ip_addr addr;
	uint64_t value;
	uint32_t generation; /* of the table when this was true */
	int32_t position;    /* negative: it was not there */
};

/* One worker's, for one table; zero-initialised. */
struct addr_cache {
	struct addr_cache_entry entry[ADDR_CACHE_SIZE];
};

/*
 * A MAC address and sixteen bits as one word, never 0 if `more` is not. In two parts: six bytes
 * copied into a word and read as eight wait for the copy to reach the cache (5 ns).
 */
static inline uint64_t addr_value(const struct mac *mac, uint16_t more)
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, mac->byte, sizeof(low));
	memcpy(&high, mac->byte + sizeof(low), sizeof(high));
	return (uint64_t)more << 48 | (uint64_t)high << 32 | low;
}

static inline struct mac addr_value_mac(uint64_t value)
{
	uint32_t low = (uint32_t)value;
	uint16_t high = (uint16_t)(value >> 32);
	struct mac mac;

	memcpy(mac.byte, &low, sizeof(low));
	memcpy(mac.byte + sizeof(low), &high, sizeof(high));
	return mac;
}

static inline uint16_t addr_value_more(uint64_t value)
{
	return (uint16_t)(value >> 48);
}

/* Whether the word holds this MAC address. */
static inline bool addr_value_has_mac(uint64_t value, const struct mac *mac)
{
	return (value ^ addr_value(mac, 0)) << 16 == 0;
}

/* For `size` addresses; `name` is unique in the process (DPDK's). NULL with *err set. */
struct addr_table *addr_table_new(
	const char *name, uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err);

/* No reader is left. NULL is fine. */
void addr_table_free(struct addr_table *t);

/* As addr_table_find(), without a cache. */
int32_t addr_table_find_uncached(
	const struct addr_table *t, const struct ip_addr *addr, uint64_t *value);

/* The same, and fills the cache's entry with what the table, of this generation, says. */
int32_t addr_table_refill(const struct addr_table *t, struct addr_cache_entry *e,
	uint32_t generation, const struct ip_addr *addr, uint64_t *value);

static inline struct addr_cache_entry *addr_cache_place(
	struct addr_cache *cache, const struct ip_addr *addr)
{
	uint64_t half[2], spread;

	memcpy(half, addr, sizeof(half));
	/* The top bits depend on all of it; hosts of one network differ in the last byte, which is
	 * the highest, and get places of their own. */
	spread = half[0] * 0xd6e8feb86659fd93ull + half[1] * 0x9e3779b97f4a7c15ull;
	return &cache->entry[spread >> (64 - ADDR_CACHE_BITS)];
}

/*
 * The position of an address, which it keeps while it is in the table, and its value in *value;
 * negative (and 0): it is not there.
 */
static inline int32_t addr_table_find(const struct addr_table *t, struct addr_cache *cache,
	const struct ip_addr *addr, uint64_t *value)
{
	uint32_t generation = __atomic_load_n(&t->generation, __ATOMIC_ACQUIRE);
	struct addr_cache_entry *e = addr_cache_place(cache, addr);

	if (__builtin_expect(e->generation != generation || !ip_addr_equal(&e->addr, addr), 0))
		return addr_table_refill(t, e, generation, addr, value);
	*value = e->value;
	return e->position;
}

/* The second in which the entry at `position` was last confirmed. */
static inline uint32_t addr_table_seen(const struct addr_table *t, int32_t position)
{
	return __atomic_load_n(&t->entry[position].seen_s, __ATOMIC_RELAXED);
}

/* Notes that the entry at `position` was confirmed at second now_s. */
static inline void addr_table_touch(struct addr_table *t, int32_t position, uint32_t now_s)
{
	if (addr_table_seen(t, position) != now_s)
		__atomic_store_n(&t->entry[position].seen_s, now_s, __ATOMIC_RELAXED);
}

/* Adds an address or changes its value, confirmed at seen_s. Its position, or -ENOSPC: the table
 * is full, or all free slots wait for a grace period. */
int32_t addr_table_store(
	struct addr_table *t, const struct ip_addr *addr, uint64_t value, uint32_t seen_s);

/* -ENOENT: it is not there. */
int addr_table_remove(struct addr_table *t, const struct ip_addr *addr);

struct addr_row {
	struct ip_addr addr;
	uint64_t value;
	uint32_t seen_s;
	uint32_t position;
};

/* What is at a position; false: nothing. */
bool addr_table_at(const struct addr_table *t, uint32_t position, struct addr_row *row);

/* Walks the table: *cursor is 0 at first; false at the end. Rows may come and go meanwhile. */
bool addr_table_next(const struct addr_table *t, uint32_t *cursor, struct addr_row *row);

/* The longest unseen of the entries whose value is `want` in the bits of `mask`; false: there is
 * none. */
bool addr_table_oldest(
	const struct addr_table *t, uint64_t mask, uint64_t want, struct addr_row *row);

static inline uint32_t addr_table_n_entries(const struct addr_table *t)
{
	return __atomic_load_n(&t->n_entries, __ATOMIC_RELAXED);
}

static inline bool addr_table_is_full(const struct addr_table *t)
{
	return addr_table_n_entries(t) >= t->size;
}
