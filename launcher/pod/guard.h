/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The guard: an nft table on the pod's interface that keeps the pod's own IP stack mute for what
 * is the guest's. Without it the kernel, which has the same address, would answer the guest's
 * connections with RST.
 *
 * Lifetime. The table has `flags owner`: it belongs to the netlink socket of whoever made it, and
 * the kernel removes it when that socket is closed, so also when its process is killed. Children
 * do not inherit the socket (nft.h). Kernels before 5.12 have no such flag: there it is a plain
 * table, which outlives a holder that is killed and is replaced by the next one; but none that
 * redirects.
 *
 * Handing a port over, in shared mode. A packet goes to the guest if the filter of the switch's
 * packet socket lets it through, and to the pod's kernel if the guard does; neither knows of the
 * other. Each change of either is atomic, and they are made in this order, so that for a moment
 * nobody may answer, which a retransmission heals, and never both, which a RST would not:
 *
 *   from the kernel to the guest: guard_update() without the port, then the switch's filter takes
 *   it in; from the guest to the kernel: the switch's filter leaves it out, then guard_update()
 *   with the port. A list that does both goes in two steps: first the guard with the ports that it
 *   has and keeps, then the filter as it is to be, then the guard as it is to be.
 *
 * A connection that is open at that moment is lost: its new owner knows nothing of it and resets.
 *
 * Likewise from exclusive to shared (the filter first) and back (the guard first).
 */

#include <stdbool.h>

#include "launcher/pod/guard_rules.h"
#include "lib/err.h"

struct guard;

/*
 * Sets the guard, in one transaction and in place of a plain one that was left behind; mode off:
 * there is none afterwards. `plain` does without the owner, as on old kernels, which it also does
 * by itself where the kernel refuses one. *plan is borrowed for the call. -EINVAL: the interface's
 * name cannot be told to nft; -ENODEV: there is no such interface; -EIO: nftables refused.
 */
int guard_hold(const struct guard_plan *plan, bool plain, struct guard **out, struct err *err);

/* It vanishes with this process, however that ends. */
bool guard_is_owned(const struct guard *guard);

/*
 * Changes what is guarded, in one transaction: every packet meets all of the old rules or all of
 * the new. Counters go on. If the interface was deleted and made anew, it is guarded again. The
 * plan is of the same mode off or not, and of the same host_port, as the one before.
 */
int guard_update(struct guard *guard, const struct guard_plan *plan, struct err *err);

/* Removes the table and frees `guard`, which may be NULL. */
void guard_release(struct guard *guard);
