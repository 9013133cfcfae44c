/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The hash table behind the forwarding database: DPDK's cuckoo hash (rte_hash), from a key of 64
 * bits to a target of 32, lock-free for readers.
 *
 * A key has a slot, whose number (its position) it keeps while it is in the table. A slot that was
 * deleted may still be read, so it waits in a queue of the hash table until every worker has
 * reported a quiescent state (QSBR), which the worker that runs through a flood does only after
 * its burst. DPDK collects at most 16 such slots whenever one is deleted, and again when none is
 * free for a new key; nothing else brings them back, and nothing else is needed: as long as each
 * addition goes with at most one deletion, the queue shrinks whenever a grace period has passed.
 *
 * There are FDB_SLACK more slots than keys, enough for a burst of every worker; and an eighth more,
 * so that not more than nine in ten places in the buckets are taken and an insertion finds its
 * place. A deleted key leaves its place in a bucket at once.
 *
 * Keys are what guests choose. The hash is therefore seeded, and mixes the whole key before it is
 * cut to 32 bits: nobody can choose keys that fill one bucket, which would keep a third party's
 * address out. (A CRC would not do: whatever its seed, the same keys collide.)
 *
 * Tables with another kind of key (addr_table.h) are made here too, so that all of this holds for
 * them as well.
 *
 * Thread-safety: fdb_hash_find(): anybody, workers as readers of the QSBR variable; store and
 * remove: one at a time.
 */

#include <errno.h>
#include <stdint.h>

#include <rte_hash.h>

#define FDB_SLACK 1024

struct rte_rcu_qsbr;

/* Positions of a table for `size` keys are below this. */
static inline uint32_t fdb_hash_slots(uint32_t size)
{
	return size + size / 8 + FDB_SLACK;
}

/* Every bit of the result depends on every bit of x, and no two x have the same. */
static inline uint64_t fdb_hash_mix(uint64_t x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
	return (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
}

/*
 * A table for `size` keys of key_len bytes; `hash_func` is given a random seed. `name` is unique in
 * the process. NULL: no memory.
 */
struct rte_hash *fdb_hash_make(const char *name, uint32_t size, uint32_t key_len,
	rte_hash_function hash_func, struct rte_rcu_qsbr *qsbr);

/* The forwarding database's. NULL: no memory. */
struct rte_hash *fdb_hash_new(uint32_t size, struct rte_rcu_qsbr *qsbr);

/* NULL is fine. No reader is left. */
void fdb_hash_free(struct rte_hash *hash);

/* Returns the key's position, and its target in *target; negative: it is not there. */
static inline int32_t fdb_hash_find(const struct rte_hash *hash, uint64_t key, uint32_t *target)
{
	void *data;
	int32_t position = rte_hash_lookup_data(hash, &key, &data);

	if (position >= 0)
		*target = (uint32_t)(uintptr_t)data;
	return position;
}

/* Adds a key or changes its target. Returns its position; -ENOSPC: no slot is free. */
int32_t fdb_hash_store(struct rte_hash *hash, uint64_t key, uint32_t target);

void fdb_hash_remove(struct rte_hash *hash, uint64_t key);
