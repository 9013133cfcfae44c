/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The inside of the bindings, shared by their two faces: binding.c, what workers do with them, and
 * binding_control.c, what the control thread does. binding.h says how they work.
 *
 * A binding is one word of the address table: the guest's MAC, and an `owner` of sixteen bits: its
 * port, the origin, and two marks. An address that is reserved and nobody's is in the table as
 * well, so that one search tells everything.
 *
 * News are kept as one bit for each position in the table, so that none is lost and a guest that
 * changes its mind a hundred times a second is one piece of news. A bit may outlive its entry; who
 * reads it looks if there is anything at that position that was seen.
 *
 * Thread-safety: the functions are called with the lock held.
 */

#include <rte_spinlock.h>

#include "switch/datapath/binding.h"
#include "switch/datapath/fdb_budget.h"

#define OWNER_PORT         0x01ffu
#define OWNER_NOBODY       0x01ffu /* as a port: only reserved */
#define OWNER_ORIGIN       0x0600u
#define OWNER_ORIGIN_SHIFT 9
#define OWNER_FIXED_MAC    0x0800u
#define OWNER_RESERVED     0x1000u

static_assert(FDB_PORT_MAX <= OWNER_NOBODY, "ports that no binding can name");

struct binding_port {
	struct fdb_budget changes;
	uint64_t station; /* the guest's last MAC with any address; 0: none yet (atomic) */
	uint64_t told;    /* the MAC it was told to have; control thread's alone */
	/* Written under the lock, read by workers before they take it (atomic). */
	uint32_t limit;        /* of n_learned */
	uint32_t n_link_local; /* learned ones */
	uint32_t n_learned;    /* the other learned ones */
} __attribute__((aligned(64)));

struct bindings {
	struct addr_table *table; /* address -> MAC and owner */
	/* The rest is behind the lock, which is taken by whoever adds, changes or removes. */
	rte_spinlock_t lock __attribute__((aligned(64)));
	uint32_t n_news; /* bits that are set (atomic) */
	uint64_t *news;  /* by position in the table */
	struct binding_port port[FDB_PORT_MAX];
};

static inline uint16_t owner_port(uint16_t owner)
{
	return owner & OWNER_PORT;
}

static inline enum binding_origin owner_origin(uint16_t owner)
{
	return (enum binding_origin)((owner & OWNER_ORIGIN) >> OWNER_ORIGIN_SHIFT);
}

static inline bool owner_is_learned(uint16_t owner)
{
	return owner_origin(owner) == BINDING_LEARNED && owner_port(owner) != OWNER_NOBODY;
}

static inline struct binding binding_of_value(uint64_t value)
{
	uint16_t owner = addr_value_more(value);

	return (struct binding) { owner_port(owner), owner_origin(owner), addr_value_mac(value) };
}

/* Whether it is the binding of a port, with this MAC. */
static inline bool binding_value_is(uint64_t value, const struct mac *mac, uint16_t port)
{
	const uint64_t compared = (uint64_t)OWNER_PORT << 48 | 0xffffffffffffull;

	return ((value ^ addr_value(mac, port)) & compared) == 0;
}

/* Where the guest is that has the address (not nobody): it may not have spoken with it yet. */
static inline struct mac binding_mac(const struct bindings *b, uint64_t value)
{
	const struct binding_port *p = &b->port[owner_port(addr_value_more(value))];

	return addr_value_mac(value << 16 ? value : __atomic_load_n(&p->station, __ATOMIC_RELAXED));
}

/* Workers' clocks may differ by a second. */
static inline bool binding_is_aged(uint32_t seen_s, uint32_t now_s)
{
	return (int32_t)(now_s - seen_s) > BINDING_AGEING_S;
}

/* How many of the addresses learned at the port count against its limit. */
static inline uint32_t binding_port_used(const struct binding_port *p)
{
	uint32_t n_link_local = __atomic_load_n(&p->n_link_local, __ATOMIC_RELAXED);
	uint32_t n_more =
		n_link_local > BINDING_LINK_LOCAL_MAX ? n_link_local - BINDING_LINK_LOCAL_MAX : 0;

	return __atomic_load_n(&p->n_learned, __ATOMIC_RELAXED) + n_more;
}

/* Adds an address or changes what is true of it, and counts. Its position, or -ENOSPC. */
int32_t binding_table_put(
	struct bindings *b, const struct ip_addr *addr, uint64_t value, uint32_t seen_s);

/* Forgets who has the address, whose value this is; it stays if it is reserved. */
void binding_table_drop(struct bindings *b, const struct ip_addr *addr, uint64_t value);

/* There is news of the address at this position. */
void binding_table_tell(struct bindings *b, uint32_t position);
