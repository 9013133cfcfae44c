/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * When a device's rings run. Whatever changes something that workers look at happens between
 *
 *   park    the rings go to PARKED, then quiesce(): no worker is inside them any more
 *   change  memory, addresses, features, descriptors
 *   resume  each ring's state is derived anew from what is set up. A ring that runs again after
 *           having been stopped takes over at its used index and its guest is owed a signal: it
 *           may have missed what a predecessor did not signal
 *
 * What is about one ring parks that ring only: a guest that enables its queue pairs one by one, or
 * disables some, loses nothing on the others.
 *
 * Debts. A call descriptor belongs to the VMM too, which can make it block at any moment, so the
 * control thread never writes to one: it notes what is owed and wakes the workers; the one that
 * polls the pair pays. If that blocks, somebody watches: workers_quiesce() in control/workers.c,
 * and on_watchdog() in control/switch.c. It happens once in a connection's life
 * (virtqueue_signal()).
 *
 * Thread-safety: vhost_rings_owed() and vhost_rings_pay(): the worker that owns the pair's
 * ingress. The rest: control thread.
 */

#include "switch/port/vhost_user.h"

void vhost_rings_park(struct vhost_user *vu, unsigned ring);
void vhost_rings_resume(struct vhost_user *vu, unsigned ring);

/* Closes the ring's kick descriptor, if it has one. */
void vhost_rings_drop_kick(struct vhost_user *vu, unsigned ring);

/* Has a worker signal the ring's guest. */
void vhost_rings_owe(struct vhost_user *vu, unsigned ring);

/* True if a guest waits for a signal on a ring of this pair. */
static inline bool vhost_rings_owed(const struct vhost_user *vu, unsigned pair)
{
	return __atomic_load_n(&vu->owed, __ATOMIC_RELAXED) >> 2 * pair & 3;
}

/* Signals them. -EIO: that hung, now or before. */
int vhost_rings_pay(struct vhost_user *vu, unsigned pair);
