/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The network of a VMM that knows no vhost-user: a TAP in the pod's network namespace, which the
 * VMM opens by its name and on which the switch has a packet socket, as on any interface. What the
 * guest sends comes in there with its offloads (IFF_VNET_HDR), and what the switch sends goes to
 * the guest with those that it has taken.
 *
 * The pod's kernel sees all that, too: the interface is quiet (quiet_link.h), and the guard drops
 * what comes in by it (guard_rules.c), behind the switch's socket.
 *
 * A TAP is held by one at a time: it has to outlast the moment between its maker's descriptor and
 * the VMM's. So it is made persistent, and has to be removed (remove_link.h; by the keeper behind
 * one who was killed).
 */

#include "lib/err.h"

/* What the TAP of a VM of that name is called, name[IF_NAMESIZE]: slt-NAME, or a number in place of
 * a long one. */
void tap_link_name(const char *vm, char *name);

/*
 * Makes it, or takes the one that a predecessor has left: it goes with the descriptor that is
 * returned, unless it is kept. -EBUSY: somebody uses the one that there is; -EEXIST: it is no TAP;
 * -EPERM: needs CAP_NET_ADMIN; -ENOENT, -EACCES: there is no /dev/net/tun for us.
 */
int tap_link_open(const char *name, unsigned mtu, struct err *err);

/* It stays when `fd` is closed. */
int tap_link_keep(int fd, struct err *err);

/* Whether one could be made, as far as can be told without making it. */
int tap_link_check(struct err *err);
