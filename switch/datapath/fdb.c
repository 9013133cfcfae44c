/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/fdb.h"

#include <errno.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>
#include <rte_spinlock.h>

struct fdb {
	struct rte_hash *hash; /* key -> port, as a pointer-sized number */
	uint32_t generation;   /* written under the lock, after every change of an answer */
	uint64_t n_refused;    /* written under the lock */
	rte_spinlock_t lock;   /* taken by whoever adds, moves or deletes */
	uint32_t seen_s[];     /* by the hash's position: written by the worker that saw it */
};

static struct rte_hash *new_hash(uint32_t size, struct rte_rcu_qsbr *qsbr)
{
	struct rte_hash_parameters params = {
		.name = "fdb",
		.entries = size,
		.key_len = sizeof(uint64_t),
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct rte_hash_rcu_config rcu = { .v = qsbr, .mode = RTE_HASH_QSBR_MODE_DQ };
	struct rte_hash *hash = rte_hash_create(&params);

	if (hash && rte_hash_rcu_qsbr_add(hash, &rcu) != 0) {
		rte_hash_free(hash);
		return NULL;
	}
	return hash;
}

struct fdb *fdb_new(uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err)
{
	/* Positions run from 0 to size, one more than there are entries. */
	struct fdb *fdb = rte_zmalloc("fdb", sizeof(*fdb) + (size + 1) * sizeof(uint32_t), 64);

	if (fdb) {
		fdb->generation = 1;
		rte_spinlock_init(&fdb->lock);
		fdb->hash = new_hash(size, qsbr);
	}
	if (!fdb || !fdb->hash) {
		err_set(err, -ENOMEM, "no memory for %u addresses (fdb-size)", size);
		rte_free(fdb);
		return NULL;
	}
	return fdb;
}

void fdb_free(struct fdb *fdb)
{
	if (!fdb)
		return;
	rte_hash_free(fdb->hash);
	rte_free(fdb);
}

static struct fdb_cache_entry *cache_entry(struct fdb_cache *cache, uint64_t key)
{
	/* The top bits of the product depend on all of the key. */
	uint64_t spread = key * 0x9e3779b97f4a7c15ull;

	return &cache->entry[spread >> (64 - FDB_CACHE_BITS)];
}

/* Returns the key's position and its port, or a negative number. */
static int32_t find(const struct fdb *fdb, uint64_t key, uint16_t *port)
{
	void *data;
	int32_t position = rte_hash_lookup_data(fdb->hash, &key, &data);

	if (position >= 0)
		*port = (uint16_t)(uintptr_t)data;
	return position;
}

static void changed(struct fdb *fdb)
{
	__atomic_store_n(&fdb->generation, fdb->generation + 1, __ATOMIC_RELEASE);
}

/* A new address, or one that moved. */
static void learn_slowly(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now_s)
{
	uint16_t before = FDB_PORT_NONE;
	int32_t position = -1;

	/* The control thread may be sweeping; the next frame teaches as well as this one. */
	if (!rte_spinlock_trylock(&fdb->lock))
		return;
	(void)find(fdb, key, &before);
	if (rte_hash_add_key_data(fdb->hash, &key, (void *)(uintptr_t)port) == 0)
		position = rte_hash_lookup(fdb->hash, &key);
	if (position >= 0)
		__atomic_store_n(&fdb->seen_s[position], now_s, __ATOMIC_RELAXED);
	else
		fdb->n_refused++;
	if (before != FDB_PORT_NONE) /* caches do not hold what is not known */
		changed(fdb);
	rte_spinlock_unlock(&fdb->lock);
}

void fdb_learn(
	struct fdb *fdb, struct fdb_cache *cache, uint64_t key, uint16_t port, uint32_t now_s)
{
	uint32_t generation = __atomic_load_n(&fdb->generation, __ATOMIC_ACQUIRE);
	struct fdb_cache_entry *e = cache_entry(cache, key);
	uint16_t known = FDB_PORT_NONE;
	int32_t position;

	if (likely(e->key == key && e->generation == generation && e->port == port &&
		    e->seen_s == now_s))
		return;
	position = find(fdb, key, &known);
	if (unlikely(position < 0 || known != port)) {
		learn_slowly(fdb, key, port, now_s);
		return;
	}
	if (__atomic_load_n(&fdb->seen_s[position], __ATOMIC_RELAXED) != now_s)
		__atomic_store_n(&fdb->seen_s[position], now_s, __ATOMIC_RELAXED);
	*e = (struct fdb_cache_entry) { key, generation, now_s, port };
}

uint16_t fdb_lookup(struct fdb *fdb, struct fdb_cache *cache, uint64_t key)
{
	uint32_t generation = __atomic_load_n(&fdb->generation, __ATOMIC_ACQUIRE);
	struct fdb_cache_entry *e = cache_entry(cache, key);
	uint16_t port = FDB_PORT_NONE;

	if (likely(e->key == key && e->generation == generation))
		return e->port;
	if (find(fdb, key, &port) >= 0)
		*e = (struct fdb_cache_entry) { key, generation, 0, port };
	return port;
}

/* Deletes one key; the lock is held. */
static void forget(struct fdb *fdb, uint64_t key)
{
	(void)rte_hash_del_key(fdb->hash, &key);
	changed(fdb);
}

unsigned fdb_expire(struct fdb *fdb, uint32_t now_s, uint32_t age_s)
{
	const void *key;
	void *data;
	uint32_t next = 0;
	unsigned n = 0;
	int32_t position;

	rte_spinlock_lock(&fdb->lock);
	while ((position = rte_hash_iterate(fdb->hash, &key, &data, &next)) >= 0) {
		/* Another worker's clock may be a second ahead of ours. */
		int32_t age = (int32_t)(now_s -
					__atomic_load_n(&fdb->seen_s[position], __ATOMIC_RELAXED));

		if (age > 0 && (uint32_t)age > age_s) {
			forget(fdb, *(const uint64_t *)key);
			n++;
		}
	}
	rte_spinlock_unlock(&fdb->lock);
	return n;
}

unsigned fdb_forget_port(struct fdb *fdb, uint16_t port)
{
	const void *key;
	void *data;
	uint32_t next = 0;
	unsigned n = 0;

	rte_spinlock_lock(&fdb->lock);
	while (rte_hash_iterate(fdb->hash, &key, &data, &next) >= 0) {
		if ((uint16_t)(uintptr_t)data != port)
			continue;
		forget(fdb, *(const uint64_t *)key);
		n++;
	}
	rte_spinlock_unlock(&fdb->lock);
	return n;
}

bool fdb_next(struct fdb *fdb, uint32_t *cursor, struct fdb_row *row)
{
	const void *key;
	void *data;
	int32_t position = rte_hash_iterate(fdb->hash, &key, &data, cursor);
	uint64_t word;

	if (position < 0)
		return false;
	word = *(const uint64_t *)key;
	memcpy(row->mac.byte, &word, sizeof(row->mac.byte));
	row->vlan = (uint16_t)(word >> 48);
	row->port = (uint16_t)(uintptr_t)data;
	row->seen_s = __atomic_load_n(&fdb->seen_s[position], __ATOMIC_RELAXED);
	return true;
}

uint64_t fdb_n_refused(const struct fdb *fdb)
{
	return __atomic_load_n(&fdb->n_refused, __ATOMIC_RELAXED);
}
