/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/fdb_hash.h"

#include <string.h>

#include <rte_random.h>
#include <rte_rcu_qsbr.h>

static uint32_t hash_key(const void *key, uint32_t len, uint32_t seed)
{
	uint64_t x;

	memcpy(&x, key, sizeof(x));
	return (uint32_t)(fdb_hash_mix(x ^ seed * 0x9e3779b97f4a7c15ull) >> 32);
}

struct rte_hash *fdb_hash_make(const char *name, uint32_t size, uint32_t key_len,
	rte_hash_function hash_func, struct rte_rcu_qsbr *qsbr)
{
	struct rte_hash_parameters params = {
		.name = name,
		.entries = fdb_hash_slots(size),
		.key_len = key_len,
		.hash_func = hash_func,
		.hash_func_init_val = (uint32_t)rte_rand(),
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

struct rte_hash *fdb_hash_new(uint32_t size, struct rte_rcu_qsbr *qsbr)
{
	return fdb_hash_make("fdb", size, sizeof(uint64_t), hash_key, qsbr);
}

void fdb_hash_free(struct rte_hash *hash)
{
	rte_hash_free(hash);
}

int32_t fdb_hash_store(struct rte_hash *hash, uint64_t key, uint32_t target)
{
	/* It is the only function that sets the data, and does not say where. */
	if (rte_hash_add_key_data(hash, &key, (void *)(uintptr_t)target) != 0)
		return -ENOSPC;
	return rte_hash_lookup(hash, &key);
}

void fdb_hash_remove(struct rte_hash *hash, uint64_t key)
{
	(void)rte_hash_del_key(hash, &key);
}
