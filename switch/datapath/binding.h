/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Bindings: which guest has an IP address, and behind which MAC address. From them a frame that
 * comes for the pod finds its guest (the guests share the pod's MAC there), and a guest's frames
 * are judged: an address that is not its own is spoofed.
 *
 *   configured   the port's `addresses` and `services`; the MAC is the one the guest was seen with,
 *                or its port's `mac`
 *   link-local   a guest's own fe80::/10, learned wherever it is a guest's, at most
 *                BINDING_LINK_LOCAL_MAX of each
 *   learned      from what a guest sends, at ports with a learning limit (labs): at most that many
 *
 * A configured address never moves and never ages. What is learned, link-local ones too, is never
 * an address that is reserved (a gateway's, a neighbour's, the identity address), and moves to
 * another guest only when it was not seen for BINDING_AGEING_S seconds.
 *
 * Who may fill the table
 * ----------------------
 * No guest pushes anything out: at its limit, or in a full table, its new addresses are refused
 * until others have aged. What the control thread adds to a full table takes the place of the
 * longest unseen address of the port that has learned most.
 *
 * What a hostile guest may cost its neighbours
 * --------------------------------------------
 * The answers are cached per worker (addr_table.h), and a change of the table makes each worker
 * search it again for every address in use: some ten microseconds in all at worst. So a port may
 * cause BINDING_CHANGES_PER_S changes in a second, a thousandth of a worker's time: new addresses,
 * which its limits end soon, and new MACs, which it may go on inventing. Whoever has used them up
 * learns nothing until the next second, and is refused before it touches the lock. The lock is for
 * changes only, and workers only try it: without it an address that would be new is refused, and
 * the next frame teaches as well as this one; a port's own address is its own all the same, only
 * the new MAC is not noted yet.
 *
 * An address that is no guest's, or spoofed, is cached like the others. A flood of them costs the
 * frames of others one search each, and changes nothing in the table.
 *
 * Thread-safety: binding_find(), binding_check(): workers, each with its own cache, registered with
 * the QSBR variable. The rest: the control thread, which takes the lock for one address at a time.
 * All may run at the same time.
 */

#include "switch/datapath/addr_table.h"
#include "switch/datapath/fdb_share.h" /* FDB_PORT_NONE, FDB_PORT_MAX: the same ports */

#define BINDING_LINK_LOCAL_MAX 4
#define BINDING_AGEING_S       300
#define BINDING_CHANGES_PER_S  100

struct bindings;

enum binding_origin { BINDING_LEARNED, BINDING_CONFIGURED, BINDING_SERVICE };

struct binding {
	uint16_t port;
	enum binding_origin origin;
	struct mac mac; /* zero: it has not said anything yet */
};

/* For `size` addresses, reserved ones too, behind ports below FDB_PORT_MAX. NULL with *err set. */
struct bindings *bindings_new(uint32_t size, struct rte_rcu_qsbr *qsbr, struct err *err);

/* No worker uses it any more. NULL is fine. */
void bindings_free(struct bindings *b);

/* Who has the address; false: nobody. */
bool binding_find(struct bindings *b, struct addr_cache *cache, const struct ip_addr *addr,
	struct binding *out);

/*
 * A guest's frame claims that `addr`, which is not the unspecified one, is behind `port` at `mac`.
 * True if that is so, or may be from now on (the table learns it); false: it is another's, or this
 * port may not have it, or has it with a fixed MAC that is not this one.
 */
bool binding_check(struct bindings *b, struct addr_cache *cache, const struct ip_addr *addr,
	uint16_t port, const struct mac *mac, uint32_t now_s);

/*
 * How many addresses may be learned at the port besides BINDING_LINK_LOCAL_MAX link-local ones (0:
 * none), from now on: those it has too many go at once.
 */
void bindings_set_limit(struct bindings *b, uint16_t port, uint32_t n);

/*
 * The MAC address that a port's guest was told to have (zero: none). A guest may be spoken to
 * before it has said anything with one of its addresses: it is looked for at the MAC it has used
 * with another, or at this one.
 */
void bindings_set_told(struct bindings *b, uint16_t port, const struct mac *mac);

/*
 * Ties an address to a port (BINDING_CONFIGURED or BINDING_SERVICE), whoever had it before. A `mac`
 * that is not zero is fixed: the guest has it there and no other. Otherwise it is the one that the
 * guest was, or will be, seen with. -ENOSPC: there is no room that a learned address could make, or
 * all free slots wait for a grace period. -EINVAL: no such port.
 */
int bindings_add(struct bindings *b, const struct ip_addr *addr, uint16_t port,
	enum binding_origin origin, const struct mac *mac);

/* Forgets who has an address, whatever its origin. -ENOENT: nobody. */
int bindings_del(struct bindings *b, const struct ip_addr *addr);

/*
 * Nobody may learn this address: a gateway's, say. What was learned of it goes; what is configured
 * stays. A mark, not a count: it is taken back once, however often it was made. -ENOSPC as above.
 */
int bindings_reserve(struct bindings *b, const struct ip_addr *addr);
void bindings_unreserve(struct bindings *b, const struct ip_addr *addr);

/* Forgets the MACs (but fixed ones) and learned addresses behind a port: its guest is gone. */
void bindings_forget_guest(struct bindings *b, uint16_t port);

/* The port is gone: forgets everything behind it, its limit too. */
void bindings_forget_port(struct bindings *b, uint16_t port);

/* Forgets what was learned and not seen for BINDING_AGEING_S seconds; returns how many. */
unsigned bindings_expire(struct bindings *b, uint32_t now_s);

struct binding_row {
	struct ip_addr addr;
	struct binding binding;
	uint32_t seen_s; /* 0: not yet */
};

/* Walks the bindings: *cursor is 0 at first; false at the end. They may come and go meanwhile. */
bool bindings_next(struct bindings *b, uint32_t *cursor, struct binding_row *row);

/*
 * For announcements: an address that a guest was seen with for the first time, or with another MAC,
 * since it was last returned here. False: there is none. None is lost, and none is kept twice.
 */
bool bindings_next_news(struct bindings *b, struct binding_row *row);
