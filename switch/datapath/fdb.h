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
 * Behind it stands DPDK's hash table, lock-free for readers, whose deleted slots are reused after
 * a grace period. What changes the table (an address that is new, moves or goes) takes a lock.
 * Workers only try it: if it is taken, the next frame teaches as well as this one.
 *
 * Who may fill the table
 * ----------------------
 * Guests choose their source addresses, so the table is shared out:
 *
 * - In a full table a new address takes the place of one of the port that has most entries; if
 *   the learning port is itself among those, of one of its own. So a port loses entries only to
 *   ports that have fewer, and a flood ends up replacing itself.
 * - A port may have a limit of its own; at its limit it replaces its own entries.
 * - Which entry of a port goes: about the longest unseen (fdb_share.h).
 * - Static entries are never evicted, aged or moved, and count for no port. They do take room.
 *
 * What a flood may cost its neighbours
 * ------------------------------------
 * An entry that is replaced or moved ends a generation, after which every worker asks the hash
 * table again for each address it uses. So in one second of the workers' clock a port may cause
 * FDB_REPLACEMENTS_PER_S replacements and, counted by themselves, FDB_MOVES_PER_S moves. Whoever
 * has used them up learns nothing new, or moves nothing, until the next second; it is refused
 * before it touches the lock. A new address in a table with room ends no generation.
 *
 * A move back costs nothing: an address that another port has taken less than FDB_SETTLED_S seconds
 * ago may always return to where it was at home before. Otherwise several ports that steal the
 * addresses of one could use up that one's moves, and keep what they stole. Many addresses that
 * move at once for good (an uplink fails over) need not wait for their turn if fdb_flush() is
 * called for the port they leave.
 *
 * A key's slot in the hash table is not free again at once when the key is deleted (fdb_hash.h says
 * why, and what slack there is). Should free slots run out, the new address is refused and nothing
 * is evicted for it.
 *
 * Reflections
 * -----------
 * A bridge behind an uplink may send a guest's own broadcasts back (hairpin mode, the default of
 * many container networks). Learning from those would move the guest to the uplink with each ARP
 * request of its own, and the reply would find nobody. So an address moves to a port with
 * fdb_set_hold() only after FDB_HOLD_S seconds without a frame of it from where it is; frames to
 * one that really moved there go where it was for that long at most.
 *
 * Thread-safety: fdb_learn(), fdb_lookup(): workers, each with its own cache, registered with the
 * QSBR variable. The rest: control thread. All may run at the same time. The control thread takes
 * the lock for one entry at a time, however many it deletes, and searches without it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/mac.h"
#include "switch/datapath/fdb_share.h"

struct fdb;
struct rte_rcu_qsbr;

#define FDB_REPLACEMENTS_PER_S 1000
#define FDB_MOVES_PER_S        1000
#define FDB_HOLD_S             2
#define FDB_SETTLED_S          10

#define FDB_CACHE_BITS 8
#define FDB_CACHE_SIZE (1u << FDB_CACHE_BITS)

/* (VLAN, MAC) as one word; VLAN 0 is the untagged network. */
static inline uint64_t fdb_key(uint16_t vlan, const struct mac *mac)
{
	uint32_t low;
	uint16_t high;

	/* Not six bytes into a word: reading that back would wait for both stores. */
	__builtin_memcpy(&low, mac->byte, sizeof(low));
	__builtin_memcpy(&high, mac->byte + sizeof(low), sizeof(high));
	return low | (uint64_t)high << 32 | (uint64_t)vlan << 48;
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

/*
 * A table for `size` addresses behind ports below FDB_PORT_MAX, whose readers report to `qsbr`.
 * NULL with *err set on failure.
 */
struct fdb *fdb_new(uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err);

/* No worker uses it any more. NULL is fine. */
void fdb_free(struct fdb *fdb);

/* Notes that `key` was seen behind `port` at second `now_s`. */
void fdb_learn(
	struct fdb *fdb, struct fdb_cache *cache, uint64_t key, uint16_t port, uint32_t now_s);

/* The port behind which `key` is, or FDB_PORT_NONE. */
uint16_t fdb_lookup(struct fdb *fdb, struct fdb_cache *cache, uint64_t key);

/*
 * Lets a port have at most n learned entries (0: as many as there is room for), from now on: the
 * longest unseen of those it has too many go at once.
 */
void fdb_set_limit(struct fdb *fdb, uint16_t port, uint32_t n);

/*
 * Whether an address moves to the port only when it was not seen elsewhere for FDB_HOLD_S seconds:
 * see above, "Reflections".
 */
void fdb_set_hold(struct fdb *fdb, uint16_t port, bool hold);

/*
 * Ties a key to a port, whatever was known of it before. -ENOSPC: there is no room that a learned
 * entry could make, or all free slots wait for a grace period. -EINVAL: no such port.
 */
int fdb_add_static(struct fdb *fdb, uint64_t key, uint16_t port);

/* Forgets a key, static or not. -ENOENT: it is not known. */
int fdb_del(struct fdb *fdb, uint64_t key);

/* Forgets what was learned and last seen more than `age_s` seconds before now_s; returns how many.
 */
unsigned fdb_expire(struct fdb *fdb, uint32_t now_s, uint32_t age_s);

/* Forgets what was learned behind a port, or (FDB_PORT_NONE) at all; returns how many. */
unsigned fdb_flush(struct fdb *fdb, uint16_t port);

/*
 * The port is gone, and no worker receives from it any more: forgets everything behind it, its
 * limit, its hold and its counters. Returns how many.
 */
unsigned fdb_forget_port(struct fdb *fdb, uint16_t port);

struct fdb_row {
	struct mac mac;
	uint16_t vlan;
	uint16_t port;
	uint32_t seen_s; /* of a static entry: 0 until it is seen */
	bool is_static;
};

/*
 * Walks the table: *cursor is 0 at first; false at the end. Rows that change meanwhile may be
 * missed or seen twice.
 */
bool fdb_next(struct fdb *fdb, uint32_t *cursor, struct fdb_row *row);

/* Addresses in the table, of every kind. */
uint32_t fdb_n_entries(const struct fdb *fdb);

struct fdb_port_stats {
	uint32_t n_entries; /* learned ones it has now; what a limit and fairness count */
	uint32_t n_static;  /* static ones it has now */
	uint64_t n_learned; /* addresses that were new */
	uint64_t n_moved;   /* addresses that came to it from another port */
	uint64_t n_evicted; /* of its entries, for the sake of its own or another port's */
	uint64_t n_refused; /* frames that taught nothing: no room, no slot, or too many changes */
	uint64_t n_held;    /* its frames with an address that was seen elsewhere a moment ago */
	uint64_t n_static_conflicts; /* its frames with an address that is static elsewhere */
};

void fdb_port_stats(struct fdb *fdb, uint16_t port, struct fdb_port_stats *out);
