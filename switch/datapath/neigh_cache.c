/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/neigh_cache.h"

#include <errno.h>

#include <rte_malloc.h>
#include <rte_spinlock.h>

#include "switch/datapath/fdb_budget.h"

/* What the address table holds besides the MAC. */
#define IS_PERMANENT 1u
#define IS_GATEWAY   2u

struct neigh_cache {
	struct addr_table *table;
	/* The rest is behind the lock, which is taken by whoever adds, changes or removes. */
	rte_spinlock_t lock __attribute__((aligned(64)));
	struct fdb_budget changes; /* of what is heard */
};

static const struct mac no_mac;

/* --- making and freeing ---------------------------------------------------------------------- */

struct neigh_cache *neigh_cache_new(uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err)
{
	struct neigh_cache *n = rte_zmalloc("neigh_cache", sizeof(*n), 64);

	if (!n) {
		err_set(err, -ENOMEM, "no memory for neighbours");
		return NULL;
	}
	rte_spinlock_init(&n->lock);
	n->changes.left = NEIGH_CHANGES_PER_S;
	n->table = addr_table_new("neighbours", size, qsbr, err);
	if (!n->table) {
		neigh_cache_free(n);
		return NULL;
	}
	return n;
}

void neigh_cache_free(struct neigh_cache *n)
{
	if (!n)
		return;
	addr_table_free(n->table);
	rte_free(n);
}

/* --- workers --------------------------------------------------------------------------------- */

static struct neighbour neighbour_of_value(uint64_t value)
{
	uint16_t more = addr_value_more(value);

	return (struct neighbour) {
		.mac = addr_value_mac(value),
		.permanent = more & IS_PERMANENT,
		.gateway = more & IS_GATEWAY,
	};
}

bool neigh_find(struct neigh_cache *n, struct addr_cache *cache, const struct ip_addr *addr,
	struct neighbour *out)
{
	uint64_t value;

	if (addr_table_find(n->table, cache, addr, &value) < 0)
		return false;
	*out = neighbour_of_value(value);
	return true;
}

/* Whether the table learns from it that the address is at another MAC than `value` says. */
static bool teaches(const struct neigh_cache *n, int32_t position, uint64_t value,
	const struct ip_addr *addr, bool asked)
{
	if (position >= 0)
		return !(addr_value_more(value) & IS_PERMANENT);
	return asked && ip_addr_is_host(addr) && !addr_table_is_full(n->table);
}

static void learn_locked(struct neigh_cache *n, const struct ip_addr *addr, const struct mac *mac,
	bool asked, uint32_t now_s)
{
	uint64_t value;
	int32_t position = addr_table_find_uncached(n->table, addr, &value);

	if (teaches(n, position, value, addr, asked) &&
		fdb_budget_spend(&n->changes, now_s, NEIGH_CHANGES_PER_S))
		(void)addr_table_store(
			n->table, addr, addr_value(mac, addr_value_more(value)), now_s);
}

void neigh_heard(struct neigh_cache *n, struct addr_cache *cache, const struct ip_addr *addr,
	const struct mac *mac, bool asked, uint32_t now_s)
{
	uint64_t value;
	int32_t position = addr_table_find(n->table, cache, addr, &value);

	if (mac_is_zero(mac) || mac_is_multicast(mac))
		return;
	if (position >= 0 && addr_value_has_mac(value, mac)) {
		addr_table_touch(n->table, position, now_s);
		return;
	}
	/* Seen without the lock, so that a flood leaves it alone. */
	if (!teaches(n, position, value, addr, asked) || fdb_budget_is_spent(&n->changes, now_s))
		return;
	if (rte_spinlock_trylock(&n->lock)) {
		learn_locked(n, addr, mac, asked, now_s);
		rte_spinlock_unlock(&n->lock);
	}
}

/* --- the control thread ---------------------------------------------------------------------- */

/* Adds or changes an entry; in a full table, a new one takes the place of the longest unconfirmed
 * of those that were only heard. */
static int put(struct neigh_cache *n, const struct ip_addr *addr, uint64_t value, uint32_t seen_s)
{
	const uint64_t mask = (uint64_t)UINT16_MAX << 48;
	struct addr_row oldest;
	uint64_t before;
	int32_t position;

	if (addr_table_is_full(n->table) && addr_table_find_uncached(n->table, addr, &before) < 0 &&
		addr_table_oldest(n->table, mask, 0, &oldest))
		(void)addr_table_remove(n->table, &oldest.addr);
	position = addr_table_store(n->table, addr, value, seen_s);
	return position < 0 ? position : 0;
}

int neigh_set_permanent(struct neigh_cache *n, const struct ip_addr *addr, const struct mac *mac)
{
	uint64_t value;
	int ret;

	rte_spinlock_lock(&n->lock);
	(void)addr_table_find_uncached(n->table, addr, &value);
	ret = put(n, addr, addr_value(mac, addr_value_more(value) | IS_PERMANENT), 0);
	rte_spinlock_unlock(&n->lock);
	return ret;
}

/* Its MAC is no longer known: only a gateway stays. */
static void forget_mac(struct neigh_cache *n, const struct ip_addr *addr, uint64_t value)
{
	if (addr_value_more(value) & IS_GATEWAY)
		(void)addr_table_store(n->table, addr, addr_value(&no_mac, IS_GATEWAY), 0);
	else
		(void)addr_table_remove(n->table, addr);
}

int neigh_unset_permanent(struct neigh_cache *n, const struct ip_addr *addr)
{
	uint64_t value;
	bool is_permanent;

	rte_spinlock_lock(&n->lock);
	(void)addr_table_find_uncached(n->table, addr, &value);
	is_permanent = addr_value_more(value) & IS_PERMANENT;
	if (is_permanent)
		forget_mac(n, addr, value);
	rte_spinlock_unlock(&n->lock);
	return is_permanent ? 0 : -ENOENT;
}

static int mark_gateway(struct neigh_cache *n, const struct ip_addr *addr)
{
	uint64_t value;
	int32_t position = addr_table_find_uncached(n->table, addr, &value);
	uint32_t seen_s = position < 0 ? 0 : addr_table_seen(n->table, position);

	return put(n, addr, value | (uint64_t)IS_GATEWAY << 48, seen_s);
}

static int unmark_gateway(struct neigh_cache *n, const struct ip_addr *addr)
{
	uint64_t value;
	int32_t position = addr_table_find_uncached(n->table, addr, &value);

	if (!(addr_value_more(value) & IS_GATEWAY))
		return -ENOENT;
	value &= ~((uint64_t)IS_GATEWAY << 48);
	if (value == 0)
		return addr_table_remove(n->table, addr);
	return put(n, addr, value, addr_table_seen(n->table, position));
}

int neigh_set_gateway(struct neigh_cache *n, const struct ip_addr *addr, bool gateway)
{
	int ret;

	rte_spinlock_lock(&n->lock);
	ret = gateway ? mark_gateway(n, addr) : unmark_gateway(n, addr);
	rte_spinlock_unlock(&n->lock);
	return ret;
}

#define ANY_AGE INT64_MIN

/*
 * Forgets what was heard and confirmed more than age_s seconds ago; returns how many. Workers that
 * find the lock taken skip a lesson, so it is held for one entry at a time.
 */
static unsigned forget_heard(struct neigh_cache *n, uint32_t now_s, int64_t age_s)
{
	struct addr_row row;
	uint32_t cursor = 0;
	unsigned n_forgotten = 0;
	bool more = true;

	while (more) {
		rte_spinlock_lock(&n->lock);
		more = addr_table_next(n->table, &cursor, &row);
		if (more && !(addr_value_more(row.value) & IS_PERMANENT) &&
			!addr_value_has_mac(row.value, &no_mac) &&
			(int32_t)(now_s - row.seen_s) > age_s) {
			forget_mac(n, &row.addr, row.value);
			n_forgotten++;
		}
		rte_spinlock_unlock(&n->lock);
	}
	return n_forgotten;
}

void neigh_flush(struct neigh_cache *n)
{
	(void)forget_heard(n, 0, ANY_AGE);
}

unsigned neigh_expire(struct neigh_cache *n, uint32_t now_s)
{
	return forget_heard(n, now_s, NEIGH_AGEING_S);
}

bool neigh_next(struct neigh_cache *n, uint32_t *cursor, struct neigh_row *row)
{
	struct addr_row each;
	bool more;

	rte_spinlock_lock(&n->lock);
	more = addr_table_next(n->table, cursor, &each);
	rte_spinlock_unlock(&n->lock);
	if (!more)
		return false;
	*row = (struct neigh_row) { each.addr, neighbour_of_value(each.value), each.seen_s };
	return true;
}
