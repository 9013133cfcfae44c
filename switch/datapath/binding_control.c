/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the control thread does with the bindings. Workers that find the lock taken skip a lesson,
 * so it is held for one address at a time.
 */

#include "switch/datapath/binding.h"

#include <errno.h>

#include "switch/datapath/binding_table.h"

static const struct mac no_mac;

/* --- one address ----------------------------------------------------------------------------- */

/* The port that has learned most; FDB_PORT_NONE: none has learned anything. */
static uint16_t find_largest(const struct bindings *b)
{
	uint16_t largest = FDB_PORT_NONE;
	uint32_t most = 0;

	for (uint16_t i = 0; i < FDB_PORT_MAX; i++) {
		uint32_t n = b->port[i].n_learned + b->port[i].n_link_local;

		if (n > most) {
			most = n;
			largest = i;
		}
	}
	return largest;
}

/* If the table is full, has somebody leave who is only learned. */
static void make_room(struct bindings *b)
{
	const uint64_t mask = (uint64_t)(OWNER_PORT | OWNER_ORIGIN) << 48;
	struct addr_row row;
	uint16_t port;

	if (!addr_table_is_full(b->table))
		return;
	port = find_largest(b);
	if (port != FDB_PORT_NONE &&
		addr_table_oldest(b->table, mask, addr_value(&no_mac, port), &row))
		binding_table_drop(b, &row.addr, row.value);
}

static int put(struct bindings *b, const struct ip_addr *addr, uint64_t value, uint32_t seen_s)
{
	uint64_t before;
	int32_t position;

	if (addr_table_find_uncached(b->table, addr, &before) < 0)
		make_room(b);
	position = binding_table_put(b, addr, value, seen_s);
	return position < 0 ? position : 0;
}

static int add(
	struct bindings *b, const struct ip_addr *addr, uint16_t owner, const struct mac *mac)
{
	uint64_t before, value;
	int32_t position = addr_table_find_uncached(b->table, addr, &before);
	uint16_t owner_before = addr_value_more(before);
	bool was_own = position >= 0 && owner_port(owner_before) == owner_port(owner);
	struct mac at = *mac;
	uint32_t seen_s = 0;

	if (!mac_is_zero(mac))
		owner |= OWNER_FIXED_MAC;
	else if (was_own && !(owner_before & OWNER_FIXED_MAC))
		at = addr_value_mac(before);
	value = addr_value(&at, owner | (owner_before & OWNER_RESERVED));
	if (was_own && addr_value_has_mac(before, &at))
		seen_s = addr_table_seen(b->table, position);
	return put(b, addr, value, seen_s);
}

int bindings_add(struct bindings *b, const struct ip_addr *addr, uint16_t port,
	enum binding_origin origin, const struct mac *mac)
{
	uint16_t owner = port | (uint16_t)(origin << OWNER_ORIGIN_SHIFT);
	int ret;

	if (port >= FDB_PORT_MAX)
		return -EINVAL;
	rte_spinlock_lock(&b->lock);
	ret = add(b, addr, owner, mac);
	rte_spinlock_unlock(&b->lock);
	return ret;
}

int bindings_del(struct bindings *b, const struct ip_addr *addr)
{
	uint64_t value;
	bool is_bound;

	rte_spinlock_lock(&b->lock);
	is_bound = addr_table_find_uncached(b->table, addr, &value) >= 0 &&
		   owner_port(addr_value_more(value)) != OWNER_NOBODY;
	if (is_bound)
		binding_table_drop(b, addr, value);
	rte_spinlock_unlock(&b->lock);
	return is_bound ? 0 : -ENOENT;
}

int bindings_reserve(struct bindings *b, const struct ip_addr *addr)
{
	const uint64_t mark = (uint64_t)OWNER_RESERVED << 48;
	uint64_t value;
	int32_t position;
	int ret;

	rte_spinlock_lock(&b->lock);
	position = addr_table_find_uncached(b->table, addr, &value);
	if (position < 0 || owner_is_learned(addr_value_more(value)))
		ret = put(b, addr, addr_value(&no_mac, OWNER_NOBODY | OWNER_RESERVED), 0);
	else
		ret = put(b, addr, value | mark, addr_table_seen(b->table, position));
	rte_spinlock_unlock(&b->lock);
	return ret;
}

void bindings_unreserve(struct bindings *b, const struct ip_addr *addr)
{
	const uint64_t mark = (uint64_t)OWNER_RESERVED << 48;
	uint64_t value;
	int32_t position;

	rte_spinlock_lock(&b->lock);
	position = addr_table_find_uncached(b->table, addr, &value);
	if (value & mark) {
		if (owner_port(addr_value_more(value)) == OWNER_NOBODY)
			(void)addr_table_remove(b->table, addr);
		else
			(void)put(b, addr, value & ~mark, addr_table_seen(b->table, position));
	}
	rte_spinlock_unlock(&b->lock);
}

/* --- many addresses -------------------------------------------------------------------------- */

struct sweep {
	/* Called for each row with the lock held; true: it counts. */
	bool (*visit)(struct bindings *b, const struct addr_row *row, const struct sweep *sweep);
	uint16_t port;
	uint32_t now_s;
};

static bool visit_next(struct bindings *b, const struct sweep *sweep, uint32_t *cursor, unsigned *n)
{
	struct addr_row row;
	bool more;

	rte_spinlock_lock(&b->lock);
	more = addr_table_next(b->table, cursor, &row);
	if (more)
		*n += sweep->visit(b, &row, sweep);
	rte_spinlock_unlock(&b->lock);
	return more;
}

static unsigned run_sweep(struct bindings *b, const struct sweep *sweep)
{
	uint32_t cursor = 0;
	unsigned n = 0;

	while (visit_next(b, sweep, &cursor, &n))
		;
	return n;
}

static bool drop_excess(struct bindings *b, const struct addr_row *row, const struct sweep *sweep)
{
	const struct binding_port *p = &b->port[sweep->port];
	uint16_t owner = addr_value_more(row->value);

	if (binding_port_used(p) <= p->limit || !owner_is_learned(owner) ||
		owner_port(owner) != sweep->port)
		return false;
	if (ip_addr_is_link_local(&row->addr) && p->n_link_local <= BINDING_LINK_LOCAL_MAX)
		return false;
	binding_table_drop(b, &row->addr, row->value);
	return true;
}

void bindings_set_limit(struct bindings *b, uint16_t port, uint32_t n)
{
	const struct sweep excess = { .visit = drop_excess, .port = port };
	bool has_too_many;

	rte_spinlock_lock(&b->lock);
	__atomic_store_n(&b->port[port].limit, n, __ATOMIC_RELAXED);
	has_too_many = binding_port_used(&b->port[port]) > n;
	rte_spinlock_unlock(&b->lock);
	if (has_too_many)
		(void)run_sweep(b, &excess);
}

static bool forget_mac(struct bindings *b, const struct addr_row *row, const struct sweep *sweep)
{
	uint16_t owner = addr_value_more(row->value);

	if (owner_port(owner) != sweep->port)
		return false;
	if (owner_is_learned(owner))
		binding_table_drop(b, &row->addr, row->value);
	else if (owner & OWNER_FIXED_MAC)
		addr_table_touch(b->table, (int32_t)row->position, 0);
	else
		(void)binding_table_put(b, &row->addr, addr_value(&no_mac, owner), 0);
	return true;
}

void bindings_forget_guest(struct bindings *b, uint16_t port)
{
	const struct sweep guest = { .visit = forget_mac, .port = port };

	(void)run_sweep(b, &guest);
	__atomic_store_n(&b->port[port].station, b->port[port].told, __ATOMIC_RELAXED);
}

void bindings_set_told(struct bindings *b, uint16_t port, const struct mac *mac)
{
	struct binding_port *p = &b->port[port];
	uint64_t station = __atomic_load_n(&p->station, __ATOMIC_RELAXED);

	if (station == p->told)
		__atomic_store_n(&p->station, addr_value(mac, 0), __ATOMIC_RELAXED);
	p->told = addr_value(mac, 0);
}

static bool forget_binding(
	struct bindings *b, const struct addr_row *row, const struct sweep *sweep)
{
	if (owner_port(addr_value_more(row->value)) != sweep->port)
		return false;
	binding_table_drop(b, &row->addr, row->value);
	return true;
}

void bindings_forget_port(struct bindings *b, uint16_t port)
{
	const struct sweep all = { .visit = forget_binding, .port = port };

	bindings_set_limit(b, port, 0);
	(void)run_sweep(b, &all);
	b->port[port].told = 0;
	__atomic_store_n(&b->port[port].station, 0, __ATOMIC_RELAXED);
}

static bool drop_aged(struct bindings *b, const struct addr_row *row, const struct sweep *sweep)
{
	if (!owner_is_learned(addr_value_more(row->value)) ||
		!binding_is_aged(row->seen_s, sweep->now_s))
		return false;
	binding_table_drop(b, &row->addr, row->value);
	return true;
}

unsigned bindings_expire(struct bindings *b, uint32_t now_s)
{
	const struct sweep aged = { .visit = drop_aged, .now_s = now_s };

	return run_sweep(b, &aged);
}

/* --- showing --------------------------------------------------------------------------------- */

bool bindings_next(struct bindings *b, uint32_t *cursor, struct binding_row *row)
{
	struct addr_row each;
	bool more;

	do {
		rte_spinlock_lock(&b->lock);
		more = addr_table_next(b->table, cursor, &each);
		rte_spinlock_unlock(&b->lock);
		if (!more)
			return false;
		*row = (struct binding_row) { each.addr, binding_of_value(each.value),
			each.seen_s };
	} while (row->binding.port == OWNER_NOBODY);
	return true;
}

/* Takes the first piece of news; where it was, or -ENOENT. */
static int32_t take_news(struct bindings *b)
{
	for (uint32_t i = 0; i < (b->table->n_positions + 63) / 64; i++) {
		uint64_t bits = b->news[i];

		if (bits == 0)
			continue;
		b->news[i] = bits & (bits - 1);
		__atomic_store_n(&b->n_news, b->n_news - 1, __ATOMIC_RELAXED);
		return (int32_t)(i * 64 + (uint32_t)__builtin_ctzll(bits));
	}
	return -ENOENT;
}

bool bindings_next_news(struct bindings *b, struct binding_row *out)
{
	bool found = false;

	while (!found && __atomic_load_n(&b->n_news, __ATOMIC_RELAXED) > 0) {
		struct addr_row row = { .seen_s = 0 };
		int32_t position;

		rte_spinlock_lock(&b->lock);
		position = take_news(b);
		found = position >= 0 && addr_table_at(b->table, (uint32_t)position, &row) &&
			row.seen_s != 0;
		rte_spinlock_unlock(&b->lock);
		*out = (struct binding_row) { row.addr, binding_of_value(row.value), row.seen_s };
	}
	return found;
}
