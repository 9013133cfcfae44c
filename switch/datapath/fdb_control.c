/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the control thread does with the forwarding database. Workers that find the lock taken skip
 * a lesson, so it is held for one entry at a time; whatever searches the table looks first without
 * it.
 */

#include "switch/datapath/fdb.h"

#include <errno.h>
#include <string.h>

#include "switch/datapath/fdb_table.h"

void fdb_set_limit(struct fdb *fdb, uint16_t port, uint32_t n)
{
	bool has_too_many;

	do {
		rte_spinlock_lock(&fdb->lock);
		fdb->port[port].limit = n;
		has_too_many = n > 0 && fdb->share.port[port].n > n;
		if (has_too_many)
			fdb_table_evict(fdb, fdb_share_oldest(&fdb->share, port));
		rte_spinlock_unlock(&fdb->lock);
	} while (has_too_many);
}

void fdb_set_hold(struct fdb *fdb, uint16_t port, bool hold)
{
	__atomic_store_n(&fdb->port[port].hold, hold, __ATOMIC_RELAXED);
}

static int add_static(struct fdb *fdb, uint64_t key, uint32_t target)
{
	uint32_t leaving = FDB_POSITION_NONE;
	int32_t position;

	if (fdb->n_entries >= fdb->size) {
		uint16_t loser = fdb_share_largest(&fdb->share, FDB_PORT_NONE);

		if (loser == FDB_PORT_NONE)
			return -ENOSPC;
		leaving = fdb_share_oldest(&fdb->share, loser);
	}
	position = fdb_hash_store(fdb->hash, key, target);
	if (position < 0)
		return -ENOSPC;
	fdb_table_evict(fdb, leaving);
	fdb_table_attach(fdb, (uint32_t)position, key, target, 0);
	return 0;
}

int fdb_add_static(struct fdb *fdb, uint64_t key, uint16_t port)
{
	uint32_t before, target = port | TARGET_STATIC;
	int32_t position;
	int ret = 0;

	if (port >= FDB_PORT_MAX)
		return -EINVAL;
	rte_spinlock_lock(&fdb->lock);
	position = fdb_hash_find(fdb->hash, key, &before);
	if (position < 0)
		ret = add_static(fdb, key, target);
	else
		fdb_table_redirect(fdb, (uint32_t)position, key, target,
			__atomic_load_n(&fdb->entry[position].seen_s, __ATOMIC_RELAXED));
	rte_spinlock_unlock(&fdb->lock);
	return ret;
}

int fdb_del(struct fdb *fdb, uint64_t key)
{
	uint32_t target;
	int32_t position;

	rte_spinlock_lock(&fdb->lock);
	position = fdb_hash_find(fdb->hash, key, &target);
	if (position >= 0)
		fdb_table_forget(fdb, (uint32_t)position);
	rte_spinlock_unlock(&fdb->lock);
	return position >= 0 ? 0 : -ENOENT;
}

/* Which entries go. */
struct sweep {
	uint16_t port; /* FDB_PORT_NONE: of any */
	bool statics;  /* these too, whatever their age */
	uint32_t now_s;
	int64_t age_s; /* seen longer ago than that */
};

#define ANY_AGE INT64_MIN

static bool is_meant(const struct sweep *sweep, const struct fdb_entry *e)
{
	uint16_t port = __atomic_load_n(&e->port, __ATOMIC_RELAXED);
	uint32_t seen_s = __atomic_load_n(&e->seen_s, __ATOMIC_RELAXED);

	if (port == FDB_PORT_NONE || (sweep->port != FDB_PORT_NONE && port != sweep->port))
		return false;
	if (__atomic_load_n(&e->is_static, __ATOMIC_RELAXED))
		return sweep->statics;
	/* Another worker's clock may be a second ahead of ours. */
	return (int32_t)(sweep->now_s - seen_s) > sweep->age_s;
}

/* Looks without the lock, and again with it. */
static unsigned run_sweep(struct fdb *fdb, const struct sweep *sweep)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < fdb->share.n_positions; i++) {
		if (!is_meant(sweep, &fdb->entry[i]))
			continue;
		rte_spinlock_lock(&fdb->lock);
		if (is_meant(sweep, &fdb->entry[i])) {
			fdb_table_forget(fdb, i);
			n++;
		}
		rte_spinlock_unlock(&fdb->lock);
	}
	return n;
}

unsigned fdb_expire(struct fdb *fdb, uint32_t now_s, uint32_t age_s)
{
	const struct sweep aged = { .port = FDB_PORT_NONE, .now_s = now_s, .age_s = age_s };

	return run_sweep(fdb, &aged);
}

/*
 * As many steps as the port has entries, and not as the table has: whoever disconnects again and
 * again makes the control thread do this. Bounded, should the port learn as fast.
 */
static unsigned flush_port(struct fdb *fdb, uint16_t port)
{
	unsigned n = 0;
	bool more;

	do {
		rte_spinlock_lock(&fdb->lock);
		more = fdb->share.port[port].n > 0;
		if (more) {
			fdb_table_forget(fdb, fdb_share_oldest(&fdb->share, port));
			n++;
		}
		rte_spinlock_unlock(&fdb->lock);
	} while (more && n < fdb->size);
	return n;
}

unsigned fdb_flush(struct fdb *fdb, uint16_t port)
{
	const struct sweep learned = { .port = FDB_PORT_NONE, .age_s = ANY_AGE };

	return port == FDB_PORT_NONE ? run_sweep(fdb, &learned) : flush_port(fdb, port);
}

unsigned fdb_forget_port(struct fdb *fdb, uint16_t port)
{
	const struct sweep all = { .port = port, .statics = true, .age_s = ANY_AGE };
	unsigned n = run_sweep(fdb, &all);
	struct fdb_port *p = &fdb->port[port];

	rte_spinlock_lock(&fdb->lock);
	*p = (struct fdb_port) {
		.replacements = p->replacements,
		.moves = p->moves,
		.n_static = p->n_static,
	};
	rte_spinlock_unlock(&fdb->lock);
	return n;
}

uint32_t fdb_n_entries(const struct fdb *fdb)
{
	return __atomic_load_n(&fdb->n_entries, __ATOMIC_RELAXED);
}

bool fdb_next(struct fdb *fdb, uint32_t *cursor, struct fdb_row *row)
{
	bool found = false;

	while (!found && *cursor < fdb->share.n_positions) {
		const struct fdb_entry *e = &fdb->entry[(*cursor)++];

		if (__atomic_load_n(&e->port, __ATOMIC_RELAXED) == FDB_PORT_NONE)
			continue;
		rte_spinlock_lock(&fdb->lock);
		memcpy(row->mac.byte, &e->key, sizeof(row->mac.byte));
		row->vlan = (uint16_t)(e->key >> 48);
		row->port = e->port;
		row->seen_s = __atomic_load_n(&e->seen_s, __ATOMIC_RELAXED);
		row->is_static = e->is_static;
		rte_spinlock_unlock(&fdb->lock);
		found = row->port != FDB_PORT_NONE;
	}
	return found;
}

void fdb_port_stats(struct fdb *fdb, uint16_t port, struct fdb_port_stats *out)
{
	const struct fdb_port *p = &fdb->port[port];

	rte_spinlock_lock(&fdb->lock);
	*out = (struct fdb_port_stats) {
		.n_entries = fdb->share.port[port].n,
		.n_static = p->n_static,
		.n_learned = __atomic_load_n(&p->n_learned, __ATOMIC_RELAXED),
		.n_moved = __atomic_load_n(&p->n_moved, __ATOMIC_RELAXED),
		.n_evicted = __atomic_load_n(&p->n_evicted, __ATOMIC_RELAXED),
		.n_refused = __atomic_load_n(&p->n_refused, __ATOMIC_RELAXED),
		.n_held = __atomic_load_n(&p->n_held, __ATOMIC_RELAXED),
		.n_static_conflicts = __atomic_load_n(&p->n_static_conflicts, __ATOMIC_RELAXED),
	};
	rte_spinlock_unlock(&fdb->lock);
}
