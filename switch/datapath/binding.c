/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/binding.h"

#include <assert.h>
#include <errno.h>

#include <rte_branch_prediction.h>
#include <rte_malloc.h>

#include "switch/datapath/binding_table.h"

/* --- making and freeing ---------------------------------------------------------------------- */

static int init(struct bindings *b, uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err)
{
	rte_spinlock_init(&b->lock);
	for (unsigned i = 0; i < FDB_PORT_MAX; i++)
		b->port[i].changes.left = BINDING_CHANGES_PER_S;
	b->table = addr_table_new("bindings", size, qsbr, err);
	if (!b->table)
		return -ENOMEM;
	b->news = rte_zmalloc("binding_news", (b->table->n_positions + 63) / 64 * 8, 64);
	return b->news ? 0 : err_set(err, -ENOMEM, "no memory for %u bindings", size);
}

struct bindings *bindings_new(uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err)
{
	struct bindings *b = rte_zmalloc("bindings", sizeof(*b), 64);

	if (!b) {
		err_set(err, -ENOMEM, "no memory for bindings");
		return NULL;
	}
	if (init(b, size, qsbr, err) < 0) {
		bindings_free(b);
		return NULL;
	}
	return b;
}

void bindings_free(struct bindings *b)
{
	if (!b)
		return;
	addr_table_free(b->table);
	rte_free(b->news);
	rte_free(b);
}

/* --- learning -------------------------------------------------------------------------------- */

/*
 * Whether the port may have an address that is not its own till now. Asked without the lock, so
 * that a flood leaves it alone, and again with it.
 */
static bool may_take(const struct bindings *b, int32_t position, uint64_t value,
	const struct ip_addr *addr, uint16_t port, uint32_t now_s)
{
	const struct binding_port *p = &b->port[port];

	if (position < 0 && addr_table_is_full(b->table))
		return false;
	if (position >= 0 && (!owner_is_learned(addr_value_more(value)) ||
				     !binding_is_aged(addr_table_seen(b->table, position), now_s)))
		return false;
	if (ip_addr_is_link_local(addr) &&
		__atomic_load_n(&p->n_link_local, __ATOMIC_RELAXED) < BINDING_LINK_LOCAL_MAX)
		return true;
	return binding_port_used(p) < __atomic_load_n(&p->limit, __ATOMIC_RELAXED) &&
	       ip_addr_is_host(addr);
}

static bool learn_locked(struct bindings *b, const struct ip_addr *addr, uint16_t port,
	const struct mac *mac, uint32_t now_s)
{
	uint64_t value;
	int32_t position = addr_table_find_uncached(b->table, addr, &value);
	bool is_own = position >= 0 && owner_port(addr_value_more(value)) == port;
	uint16_t owner = is_own ? addr_value_more(value) : port;

	if (is_own && owner & OWNER_FIXED_MAC && !addr_value_has_mac(value, mac))
		return false;
	if (!is_own && !may_take(b, position, value, addr, port, now_s))
		return false;
	if (!fdb_budget_spend(&b->port[port].changes, now_s, BINDING_CHANGES_PER_S))
		return is_own;
	position = binding_table_put(b, addr, addr_value(mac, owner), now_s);
	if (position < 0)
		return false;
	binding_table_tell(b, (uint32_t)position);
	__atomic_store_n(&b->port[port].station, addr_value(mac, 0), __ATOMIC_RELAXED);
	return true;
}

/* The table does not say that it is so, or not since this second. */
static __attribute__((noinline)) bool check_slowly(struct bindings *b, int32_t position,
	uint64_t value, const struct ip_addr *addr, uint16_t port, const struct mac *mac,
	uint32_t now_s)
{
	uint16_t owner = addr_value_more(value);
	bool is_own = position >= 0 && owner_port(owner) == port;
	bool is_same = is_own && addr_value_has_mac(value, mac);
	bool ok;

	assert(port < FDB_PORT_MAX);
	/* Seen before: one that is new, with a fixed MAC too, is news. */
	if (likely(is_same && addr_table_seen(b->table, position) != 0)) {
		addr_table_touch(b->table, position, now_s);
		return true;
	}
	if (is_own ? !is_same && owner & OWNER_FIXED_MAC
		   : !may_take(b, position, value, addr, port, now_s))
		return false;
	if (mac_is_multicast(mac) || mac_is_zero(mac))
		return false;
	if (fdb_budget_is_spent(&b->port[port].changes, now_s) || !rte_spinlock_trylock(&b->lock))
		return is_own;
	ok = learn_locked(b, addr, port, mac, now_s);
	rte_spinlock_unlock(&b->lock);
	return ok;
}

/* --- every frame ----------------------------------------------------------------------------- */

bool binding_find(struct bindings *b, struct addr_cache *cache, const struct ip_addr *addr,
	struct binding *out)
{
	uint64_t value;

	if (addr_table_find(b->table, cache, addr, &value) < 0)
		return false;
	*out = binding_of_value(value);
	if (unlikely(out->port == OWNER_NOBODY))
		return false;
	out->mac = binding_mac(b, value);
	return true;
}

bool binding_check(struct bindings *b, struct addr_cache *cache, const struct ip_addr *addr,
	uint16_t port, const struct mac *mac, uint32_t now_s)
{
	uint64_t value;
	int32_t position = addr_table_find(b->table, cache, addr, &value);

	if (likely(position >= 0 && binding_value_is(value, mac, port) &&
		    addr_table_seen(b->table, position) == now_s))
		return true;
	return check_slowly(b, position, value, addr, port, mac, now_s);
}
