/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/fdb_table.h"

static void changed(struct fdb *fdb)
{
	__atomic_store_n(&fdb->generation, fdb->generation + 1, __ATOMIC_RELEASE);
}

void fdb_table_attach(
	struct fdb *fdb, uint32_t position, uint64_t key, uint32_t target, uint32_t seen_s)
{
	struct fdb_entry *e = &fdb->entry[position];
	bool is_static = target & TARGET_STATIC;

	e->key = key;
	e->came_s = (uint16_t)seen_s;
	__atomic_store_n(&e->home, (uint16_t)target, __ATOMIC_RELAXED);
	__atomic_store_n(&e->seen_s, seen_s, __ATOMIC_RELAXED);
	__atomic_store_n(&e->is_static, is_static, __ATOMIC_RELAXED);
	__atomic_store_n(&e->port, (uint16_t)target, __ATOMIC_RELAXED);
	__atomic_store_n(&fdb->n_entries, fdb->n_entries + 1, __ATOMIC_RELAXED);
	if (is_static)
		fdb->port[e->port].n_static++;
	else
		fdb_share_join(&fdb->share, position);
}

static void detach(struct fdb *fdb, uint32_t position)
{
	struct fdb_entry *e = &fdb->entry[position];

	if (e->is_static)
		fdb->port[e->port].n_static--;
	else
		fdb_share_leave(&fdb->share, position);
	__atomic_store_n(&e->port, FDB_PORT_NONE, __ATOMIC_RELAXED);
	__atomic_store_n(&fdb->n_entries, fdb->n_entries - 1, __ATOMIC_RELAXED);
}

void fdb_table_forget(struct fdb *fdb, uint32_t position)
{
	fdb_hash_remove(fdb->hash, fdb->entry[position].key);
	detach(fdb, position);
	changed(fdb);
}

void fdb_table_evict(struct fdb *fdb, uint32_t position)
{
	if (position == FDB_POSITION_NONE)
		return;
	fdb_count(&fdb->port[fdb->entry[position].port].n_evicted);
	fdb_table_forget(fdb, position);
}

void fdb_table_redirect(
	struct fdb *fdb, uint32_t position, uint64_t key, uint32_t target, uint32_t seen_s)
{
	(void)fdb_hash_store(fdb->hash, key, target);
	detach(fdb, position);
	fdb_table_attach(fdb, position, key, target, seen_s);
	changed(fdb);
}
