/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The inside of the forwarding database, shared by its two faces: fdb.c, what workers do with it,
 * and fdb_control.c, what the control thread does. fdb.h says how it works.
 *
 * An entry is in three places: in the hash table, where workers find it, in the array of entries
 * at the same position, and in the books: its port's queue (fdb_share.h) and the counts. The
 * functions here change all three, and end the generation whenever a worker's cache might hold
 * what is no longer true.
 *
 * Thread-safety: the functions are called with the lock held.
 */

#include <rte_spinlock.h>

#include "switch/datapath/fdb.h"
#include "switch/datapath/fdb_budget.h"
#include "switch/datapath/fdb_hash.h"

/* What the hash table holds for a key: its port, and this bit if it is static. */
#define TARGET_STATIC (1u << 16)
#define TARGET_NONE   ((uint32_t)FDB_PORT_NONE) /* as a dynamic one behind no port */

/* The counters are written by any worker, with or without the lock; the rest under it. */
struct fdb_port {
	struct fdb_budget replacements;
	struct fdb_budget moves;
	uint32_t limit; /* 0: none */
	bool hold;      /* written by control, read by workers (atomic) */
	uint32_t n_static;
	uint64_t n_learned;
	uint64_t n_moved;
	uint64_t n_evicted;
	uint64_t n_refused;
	uint64_t n_held;
	uint64_t n_static_conflicts;
} __attribute__((aligned(64)));

struct fdb {
	/* For every frame; nothing in this cache line changes with what is only refused. */
	struct rte_hash *hash;   /* key -> target */
	struct fdb_entry *entry; /* share.entry, by the hash's position */
	uint32_t generation;     /* written under the lock, after every change of an answer */
	uint32_t size;
	/* The rest is behind the lock, which is taken by whoever adds, moves or deletes. */
	rte_spinlock_t lock __attribute__((aligned(64)));
	uint32_t n_entries; /* static ones included */
	struct fdb_share share;
	struct fdb_port port[FDB_PORT_MAX];
};

/* Enters what the hash table now has at this position, for a key that it did not have. */
void fdb_table_attach(
	struct fdb *fdb, uint32_t position, uint64_t key, uint32_t target, uint32_t seen_s);

/* Another target for a key that is known. */
void fdb_table_redirect(
	struct fdb *fdb, uint32_t position, uint64_t key, uint32_t target, uint32_t seen_s);

/* Deletes the entry at this position. */
void fdb_table_forget(struct fdb *fdb, uint32_t position);

/* The same to make room; FDB_POSITION_NONE: there is room. */
void fdb_table_evict(struct fdb *fdb, uint32_t position);

/* The counters of a port. */
static inline void fdb_count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}
