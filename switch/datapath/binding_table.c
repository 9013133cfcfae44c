/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/binding_table.h"

/* One more, or less, that the port has learned. */
static void count(struct bindings *b, const struct ip_addr *addr, uint16_t owner, int change)
{
	struct binding_port *p;
	uint32_t *n;

	if (!owner_is_learned(owner))
		return;
	p = &b->port[owner_port(owner)];
	n = ip_addr_is_link_local(addr) ? &p->n_link_local : &p->n_learned;
	__atomic_store_n(n, *n + (uint32_t)change, __ATOMIC_RELAXED);
}

int32_t binding_table_put(
	struct bindings *b, const struct ip_addr *addr, uint64_t value, uint32_t seen_s)
{
	uint64_t before;
	bool is_new = addr_table_find_uncached(b->table, addr, &before) < 0;
	int32_t position = addr_table_store(b->table, addr, value, seen_s);

	if (position < 0)
		return position;
	if (!is_new)
		count(b, addr, addr_value_more(before), -1);
	count(b, addr, addr_value_more(value), 1);
	return position;
}

void binding_table_drop(struct bindings *b, const struct ip_addr *addr, uint64_t value)
{
	static const struct mac none;
	uint16_t owner = addr_value_more(value);

	if (owner & OWNER_RESERVED) {
		(void)binding_table_put(
			b, addr, addr_value(&none, OWNER_NOBODY | OWNER_RESERVED), 0);
	} else {
		(void)addr_table_remove(b->table, addr);
		count(b, addr, owner, -1);
	}
}

void binding_table_tell(struct bindings *b, uint32_t position)
{
	uint64_t bit = 1ull << position % 64;

	if (b->news[position / 64] & bit)
		return;
	b->news[position / 64] |= bit;
	__atomic_store_n(&b->n_news, b->n_news + 1, __ATOMIC_RELAXED);
}
