/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/addr_table.h"

#include <assert.h>
#include <errno.h>

#include <rte_malloc.h>

#include "switch/datapath/fdb_hash.h"

static_assert(sizeof(struct addr_entry) == 32, "not two to a cache line");
static_assert(sizeof(void *) == sizeof(uint64_t), "the hash table's data is a pointer");

static uint32_t hash_addr(const void *key, uint32_t len, uint32_t seed)
{
	uint64_t half[2];

	memcpy(half, key, sizeof(half));
	half[0] = fdb_hash_mix(half[0] ^ seed * 0x9e3779b97f4a7c15ull);
	return (uint32_t)(fdb_hash_mix(half[0] ^ half[1]) >> 32);
}

static int init(struct addr_table *t, const char *name, uint32_t size, struct rte_rcu_qsbr *qsbr)
{
	t->size = size;
	t->generation = 1;
	t->n_positions = fdb_hash_slots(size);
	t->entry = rte_zmalloc(name, t->n_positions * sizeof(*t->entry), 64);
	if (!t->entry)
		return -ENOMEM;
	t->hash = fdb_hash_make(name, size, sizeof(struct ip_addr), hash_addr, qsbr);
	return t->hash ? 0 : -ENOMEM;
}

struct addr_table *addr_table_new(
	const char *name, uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err)
{
	struct addr_table *t = rte_zmalloc(name, sizeof(*t), 64);

	if (!t || init(t, name, size, qsbr) < 0) {
		err_set(err, -ENOMEM, "no memory for %u addresses (%s)", size, name);
		addr_table_free(t);
		return NULL;
	}
	return t;
}

void addr_table_free(struct addr_table *t)
{
	if (!t)
		return;
	fdb_hash_free(t->hash);
	rte_free(t->entry);
	rte_free(t);
}

/* --- readers --------------------------------------------------------------------------------- */

int32_t addr_table_find_uncached(
	const struct addr_table *t, const struct ip_addr *addr, uint64_t *value)
{
	void *data = NULL;
	int32_t position = rte_hash_lookup_data(t->hash, addr, &data);

	*value = position < 0 ? 0 : (uintptr_t)data;
	return position;
}

int32_t addr_table_refill(const struct addr_table *t, struct addr_cache_entry *e,
	uint32_t generation, const struct ip_addr *addr, uint64_t *value)
{
	int32_t position = addr_table_find_uncached(t, addr, value);

	*e = (struct addr_cache_entry) { *addr, *value, generation, position };
	return position;
}

/* --- the writer ------------------------------------------------------------------------------ */

static void changed(struct addr_table *t)
{
	__atomic_store_n(&t->generation, t->generation + 1, __ATOMIC_RELEASE);
}

static void set_n_entries(struct addr_table *t, uint32_t n)
{
	__atomic_store_n(&t->n_entries, n, __ATOMIC_RELAXED);
}

/* Has the hash table say so; the position, or -ENOSPC. */
static int32_t put(struct addr_table *t, const struct ip_addr *addr, uint64_t value)
{
	/* It is the only function that sets the data, and does not say where. */
	if (rte_hash_add_key_data(t->hash, addr, (void *)(uintptr_t)value) != 0)
		return -ENOSPC;
	return rte_hash_lookup(t->hash, addr);
}

static int32_t add(struct addr_table *t, const struct ip_addr *addr, uint64_t value)
{
	int32_t position = addr_table_is_full(t) ? -ENOSPC : put(t, addr, value);

	if (position < 0)
		return position;
	t->entry[position].addr = *addr;
	t->entry[position].in_use = true;
	set_n_entries(t, t->n_entries + 1);
	return position;
}

int32_t addr_table_store(
	struct addr_table *t, const struct ip_addr *addr, uint64_t value, uint32_t seen_s)
{
	uint64_t before;
	int32_t position = addr_table_find_uncached(t, addr, &before);
	bool is_new = position < 0;

	if (is_new)
		position = add(t, addr, value);
	else if (before != value)
		(void)put(t, addr, value);
	if (position < 0)
		return position;
	t->entry[position].value = value;
	addr_table_touch(t, position, seen_s);
	if (is_new || before != value)
		changed(t);
	return position;
}

int addr_table_remove(struct addr_table *t, const struct ip_addr *addr)
{
	int32_t position = rte_hash_del_key(t->hash, addr);

	if (position < 0)
		return -ENOENT;
	t->entry[position].in_use = false;
	set_n_entries(t, t->n_entries - 1);
	changed(t);
	return 0;
}

/* --- walking --------------------------------------------------------------------------------- */

bool addr_table_at(const struct addr_table *t, uint32_t position, struct addr_row *row)
{
	const struct addr_entry *e = &t->entry[position];

	if (!e->in_use)
		return false;
	*row = (struct addr_row) {
		.addr = e->addr,
		.value = e->value,
		.seen_s = addr_table_seen(t, (int32_t)position),
		.position = position,
	};
	return true;
}

bool addr_table_next(const struct addr_table *t, uint32_t *cursor, struct addr_row *row)
{
	while (*cursor < t->n_positions)
		if (addr_table_at(t, (*cursor)++, row))
			return true;
	return false;
}

bool addr_table_oldest(
	const struct addr_table *t, uint64_t mask, uint64_t want, struct addr_row *row)
{
	struct addr_row each;
	uint32_t cursor = 0;
	bool found = false;

	while (addr_table_next(t, &cursor, &each)) {
		if ((each.value & mask) != want)
			continue;
		if (!found || (int32_t)(each.seen_s - row->seen_s) < 0)
			*row = each;
		found = true;
	}
	return found;
}
