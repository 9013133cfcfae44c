/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The forwarding database: behind which port an address of a VLAN was last seen.
 *
 * Every frame teaches its source and asks for its destination, so both must cost next to nothing
 * in the common case, in which neither says anything new. Each worker has a small direct-mapped
 * cache in front of the table; one comparison with the table's generation tells whether what it
 * holds is still true. The time an address was last seen is written at most once a second.
 *
 * Behind it stands DPDK's hash table, lock-free for readers, whose deleted slots are reused
 * after a grace period. New and moved addresses take a lock: they are rare, and a flood of them
 * (an attack) costs the attacker's worker, not its neighbours' lookups.
 *
 * A full table learns nothing more until entries age out; frames to addresses it does not hold
 * are flooded, so a full table loses speed, not frames.
 *
 * Thread-safety: fdb_learn(), fdb_lookup(): workers, each with its own cache. The rest: control
 * thread. All may run at the same time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/mac.h"

struct fdb;
struct rte_rcu_qsbr;

#define FDB_PORT_NONE  UINT16_MAX
#define FDB_CACHE_BITS 8
#define FDB_CACHE_SIZE (1u << FDB_CACHE_BITS)

/* (VLAN, MAC) as one word; VLAN 0 is the untagged network. */
static inline uint64_t fdb_key(uint16_t vlan, const struct mac *mac)
{
	uint64_t key = 0;

	__builtin_memcpy(&key, mac->byte, sizeof(mac->byte));
	return key | (uint64_t)vlan << 48;
}

struct fdb_cache_entry {
	uint64_t key;
	uint32_t generation; /* of the table when this was true */
	uint32_t seen_s;
	uint16_t port;
};

/* One worker's; zero-initialised. */
struct fdb_cache {
	struct fdb_cache_entry entry[FDB_CACHE_SIZE];
};

/* A table for `size` addresses, whose readers report to `qsbr`. NULL with *err set on failure. */
struct fdb *fdb_new(uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err);

/* No worker uses it any more. NULL is fine. */
void fdb_free(struct fdb *fdb);

/* Notes that `key` was seen behind `port` at second `now_s`. */
void fdb_learn(
	struct fdb *fdb, struct fdb_cache *cache, uint64_t key, uint16_t port, uint32_t now_s);

/* The port behind which `key` is, or FDB_PORT_NONE. */
uint16_t fdb_lookup(struct fdb *fdb, struct fdb_cache *cache, uint64_t key);

/* Forgets what was last seen more than `age_s` seconds before now_s. Returns how many. */
unsigned fdb_expire(struct fdb *fdb, uint32_t now_s, uint32_t age_s);

/* Forgets everything behind a port. */
unsigned fdb_forget_port(struct fdb *fdb, uint16_t port);

struct fdb_row {
	struct mac mac;
	uint16_t vlan;
	uint16_t port;
	uint32_t seen_s;
};

/*
 * Walks the table: *cursor is 0 at first; false at the end. Rows that change meanwhile may be
 * missed or seen twice.
 */
bool fdb_next(struct fdb *fdb, uint32_t *cursor, struct fdb_row *row);

/* Addresses that were not learned because the table was full. */
uint64_t fdb_n_refused(const struct fdb *fdb);
