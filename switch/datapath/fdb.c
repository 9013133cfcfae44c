/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/fdb.h"

#include <assert.h>
#include <errno.h>

#include <rte_branch_prediction.h>
#include <rte_malloc.h>
#include <rte_spinlock.h>

#include "switch/datapath/fdb_table.h"
#include "switch/port/port.h"

static_assert(FDB_PORT_MAX >= PORT_MAX, "ports that no entry could be counted for");
/* Slots in a grace period: a burst of every worker, or all that one port may replace in a second.
 */
static_assert(FDB_SLACK >= WORKER_MAX * BURST_MAX && FDB_SLACK >= FDB_REPLACEMENTS_PER_S,
	"a flooding port uses up the slots");

/* --- making and freeing ---------------------------------------------------------------------- */

static int init(struct fdb *fdb, uint32_t size, struct rte_rcu_qsbr *qsbr)
{
	fdb->size = size;
	fdb->generation = 1;
	rte_spinlock_init(&fdb->lock);
	for (unsigned i = 0; i < FDB_PORT_MAX; i++) {
		fdb->port[i].replacements.left = FDB_REPLACEMENTS_PER_S;
		fdb->port[i].moves.left = FDB_MOVES_PER_S;
	}
	if (fdb_share_init(&fdb->share, fdb_hash_slots(size), size) < 0)
		return -ENOMEM;
	fdb->entry = fdb->share.entry;
	fdb->hash = fdb_hash_new(size, qsbr);
	return fdb->hash ? 0 : -ENOMEM;
}

struct fdb *fdb_new(uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err)
{
	struct fdb *fdb = rte_zmalloc("fdb", sizeof(*fdb), 64);

	if (!fdb || init(fdb, size, qsbr) < 0) {
		err_set(err, -ENOMEM, "no memory for %u addresses (fdb-size)", size);
		fdb_free(fdb);
		return NULL;
	}
	return fdb;
}

void fdb_free(struct fdb *fdb)
{
	if (!fdb)
		return;
	fdb_hash_free(fdb->hash);
	fdb_share_free(&fdb->share);
	rte_free(fdb);
}

/* --- learning -------------------------------------------------------------------------------- */

/*
 * Finds out who has to leave if a port gets one more entry, which in turn is new to the table or
 * not. False: it may not have one.
 */
static bool find_room(
	struct fdb *fdb, uint16_t port, bool is_new, uint32_t now_s, uint32_t *leaving)
{
	struct fdb_port *p = &fdb->port[port];
	uint16_t loser;

	*leaving = FDB_POSITION_NONE;
	if (p->limit > 0 && fdb->share.port[port].n >= p->limit)
		loser = port;
	else if (is_new && fdb->n_entries >= fdb->size)
		loser = fdb_share_largest(&fdb->share, port);
	else
		return true;
	if (loser == FDB_PORT_NONE ||
		!fdb_budget_spend(&p->replacements, now_s, FDB_REPLACEMENTS_PER_S))
		return false;
	*leaving = fdb_share_oldest(&fdb->share, loser);
	return true;
}

static bool add(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now_s)
{
	uint32_t leaving;
	int32_t position;

	if (!find_room(fdb, port, true, now_s, &leaving))
		return false;
	/* Before anybody leaves for it: slots may have run out. */
	position = fdb_hash_store(fdb->hash, key, port);
	if (position < 0)
		return false;
	fdb_table_evict(fdb, leaving);
	fdb_table_attach(fdb, (uint32_t)position, key, port, now_s);
	fdb_count(&fdb->port[port].n_learned);
	return true;
}

static bool move(struct fdb *fdb, uint32_t position, uint64_t key, uint16_t port, uint32_t now_s)
{
	struct fdb_entry *e = &fdb->entry[position];
	/* Workers' clocks may differ by a second. */
	bool has_settled = (uint16_t)(now_s + 1 - e->came_s) > FDB_SETTLED_S;
	uint16_t home = has_settled ? e->port : e->home;
	uint32_t leaving;

	if (home != port && !fdb_budget_spend(&fdb->port[port].moves, now_s, FDB_MOVES_PER_S))
		return false;
	if (!find_room(fdb, port, false, now_s, &leaving))
		return false;
	fdb_table_evict(fdb, leaving);
	fdb_table_redirect(fdb, position, key, port, now_s);
	__atomic_store_n(&e->home, home, __ATOMIC_RELAXED);
	fdb_count(&fdb->port[port].n_moved);
	return true;
}

static void learn_locked(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now_s)
{
	uint32_t target = TARGET_NONE;
	int32_t position = fdb_hash_find(fdb->hash, key, &target);
	bool learned = true;

	if (position < 0)
		learned = add(fdb, key, port, now_s);
	else if ((uint16_t)target != port && !(target & TARGET_STATIC))
		learned = move(fdb, (uint32_t)position, key, port, now_s);
	if (!learned)
		fdb_count(&fdb->port[port].n_refused);
}

/* Whether learn_locked() would refuse it: seen without the lock, so that a flood leaves it alone.
 */
static bool is_hopeless(const struct fdb *fdb, int32_t position, uint16_t port, uint32_t now_s)
{
	const struct fdb_port *p = &fdb->port[port];

	if (position < 0)
		return fdb_budget_is_spent(&p->replacements, now_s);
	return fdb_budget_is_spent(&p->moves, now_s) &&
	       __atomic_load_n(&fdb->entry[position].home, __ATOMIC_RELAXED) != port;
}

/* Whether the address, which is elsewhere, may not come here yet. Clocks may differ by a second. */
static bool is_held(const struct fdb *fdb, int32_t position, uint16_t port, uint32_t now_s)
{
	if (position < 0 || !__atomic_load_n(&fdb->port[port].hold, __ATOMIC_RELAXED))
		return false;
	return (uint32_t)(now_s + 1 -
			  __atomic_load_n(&fdb->entry[position].seen_s, __ATOMIC_RELAXED)) <=
	       FDB_HOLD_S;
}

/* The address is not known (position < 0), or is at `position` with another target. */
static void learn_slowly(struct fdb *fdb, int32_t position, uint32_t target, uint64_t key,
	uint16_t port, uint32_t now_s)
{
	assert(port < FDB_PORT_MAX);
	if (target & TARGET_STATIC) {
		fdb_count(&fdb->port[port].n_static_conflicts);
	} else if (is_held(fdb, position, port, now_s)) {
		fdb_count(&fdb->port[port].n_held);
	} else if (is_hopeless(fdb, position, port, now_s)) {
		fdb_count(&fdb->port[port].n_refused);
	} else if (rte_spinlock_trylock(&fdb->lock)) {
		learn_locked(fdb, key, port, now_s);
		rte_spinlock_unlock(&fdb->lock);
	}
}

/* The cache does not know it, or not since this second. */
static __attribute__((noinline)) void learn_uncached(struct fdb *fdb, struct fdb_cache_entry *e,
	uint32_t generation, uint64_t key, uint16_t port, uint32_t now_s)
{
	uint32_t target = TARGET_NONE;
	int32_t position = fdb_hash_find(fdb->hash, key, &target);

	if (unlikely(position < 0 || (uint16_t)target != port)) {
		learn_slowly(fdb, position, target, key, port, now_s);
		return;
	}
	if (__atomic_load_n(&fdb->entry[position].seen_s, __ATOMIC_RELAXED) != now_s)
		__atomic_store_n(&fdb->entry[position].seen_s, now_s, __ATOMIC_RELAXED);
	*e = (struct fdb_cache_entry) { key, generation, now_s, port };
}

/* --- every frame ----------------------------------------------------------------------------- */

static struct fdb_cache_entry *cache_entry(struct fdb_cache *cache, uint64_t key)
{
	/* The top bits of the product depend on all of the key. */
	uint64_t spread = key * 0x9e3779b97f4a7c15ull;

	return &cache->entry[spread >> (64 - FDB_CACHE_BITS)];
}

void fdb_learn(
	struct fdb *fdb, struct fdb_cache *cache, uint64_t key, uint16_t port, uint32_t now_s)
{
	uint32_t generation = __atomic_load_n(&fdb->generation, __ATOMIC_ACQUIRE);
	struct fdb_cache_entry *e = cache_entry(cache, key);

	if (likely(e->key == key && e->generation == generation && e->port == port &&
		    e->seen_s == now_s))
		return;
	learn_uncached(fdb, e, generation, key, port, now_s);
}

static __attribute__((noinline)) uint16_t lookup_uncached(
	struct fdb *fdb, struct fdb_cache_entry *e, uint32_t generation, uint64_t key)
{
	uint32_t target = TARGET_NONE;

	if (fdb_hash_find(fdb->hash, key, &target) >= 0)
		*e = (struct fdb_cache_entry) { key, generation, 0, (uint16_t)target };
	return (uint16_t)target;
}

uint16_t fdb_lookup(struct fdb *fdb, struct fdb_cache *cache, uint64_t key)
{
	uint32_t generation = __atomic_load_n(&fdb->generation, __ATOMIC_ACQUIRE);
	struct fdb_cache_entry *e = cache_entry(cache, key);

	if (likely(e->key == key && e->generation == generation))
		return e->port;
	return lookup_uncached(fdb, e, generation, key);
}
