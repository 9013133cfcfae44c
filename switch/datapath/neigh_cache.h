/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Who is on the network's side: the MAC addresses of gateways and other stations behind the
 * uplink, from which the switch answers ARP and neighbour solicitations on their behalf.
 *
 *   permanent   the pod kernel's PERMANENT entries (some networks announce a gateway in no other
 *               way) and those of the configuration; what is heard does not change them
 *   heard       from ARP and ND that came by the uplink; only an address that is a gateway, or in
 *               the table already, is noted from what was not asked for, and all age
 *
 * Gateways are marked, whether their MAC is known or not: the switch asks for those it does not
 * know.
 *
 * What is heard may come from anybody on that network. It changes at most NEIGH_CHANGES_PER_S
 * entries a second, adds only what was asked for and only while there is room, and takes the lock,
 * which workers only try, for nothing else. What the control thread adds to a full table takes the
 * place of the longest unconfirmed of the entries that were heard. A change costs the workers a
 * search of the table for each neighbour they use (addr_table.h), but only ARP and ND use any.
 *
 * Thread-safety: neigh_find(), neigh_heard(): workers, each with its own cache, registered with the
 * QSBR variable. The rest: the control thread. All may run at the same time.
 */

#include "switch/datapath/addr_table.h"

#define NEIGH_AGEING_S      300
#define NEIGH_CHANGES_PER_S 1000 /* new or changed entries from what is heard */

struct neigh_cache;

struct neighbour {
	struct mac mac; /* zero: not known (a gateway to be resolved) */
	bool permanent;
	bool gateway;
};

/* For `size` addresses. NULL with *err set. */
struct neigh_cache *neigh_cache_new(uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err);

/* No worker uses it any more. NULL is fine. */
void neigh_cache_free(struct neigh_cache *n);

/* What is known of an address; false: nothing. */
bool neigh_find(struct neigh_cache *n, struct addr_cache *cache, const struct ip_addr *addr,
	struct neighbour *out);

/*
 * ARP or ND that came by the uplink says so. `asked`: it is an answer that was sent to us. A MAC
 * that no station can have (zero, or a group's) says nothing.
 */
void neigh_heard(struct neigh_cache *n, struct addr_cache *cache, const struct ip_addr *addr,
	const struct mac *mac, bool asked, uint32_t now_s);

/* Adds or changes a permanent entry. -ENOSPC: there is no room that a heard one could make, or all
 * free slots wait for a grace period. */
int neigh_set_permanent(struct neigh_cache *n, const struct ip_addr *addr, const struct mac *mac);
/* It is permanent no more, and gone unless it is a gateway. -ENOENT. */
int neigh_unset_permanent(struct neigh_cache *n, const struct ip_addr *addr);

/* Marks a gateway, or takes the mark back. -ENOSPC, -ENOENT. */
int neigh_set_gateway(struct neigh_cache *n, const struct ip_addr *addr, bool gateway);

/* Forgets what was heard: the uplink is another one. */
void neigh_flush(struct neigh_cache *n);

/* Forgets what was heard and not confirmed for NEIGH_AGEING_S seconds; gateways become unknown. */
unsigned neigh_expire(struct neigh_cache *n, uint32_t now_s);

struct neigh_row {
	struct ip_addr addr;
	struct neighbour neighbour;
	uint32_t seen_s;
};

/* Walks the table: *cursor is 0 at first; false at the end. Rows may come and go meanwhile. */
bool neigh_next(struct neigh_cache *n, uint32_t *cursor, struct neigh_row *row);
