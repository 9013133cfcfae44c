/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * One VM to a pod: it takes over what comes in on the pod's interface, and a second one would have
 * to share that with it. Containers of a pod have nothing in common but the network namespace, so
 * that is where the lock is: abstract unix sockets, which the kernel removes with the last
 * descriptor of them, however their owner ended.
 *
 * There are two. One is sluice-vm's alone: who has it lives. The other its keeper has as well: as
 * long as somebody has it, what the VM left in the pod is still being removed, and who comes next
 * waits.
 */

#include <stdbool.h>

#include "lib/err.h"

#define POD_LOCK_NAME      "sluice/vm" /* "@sluice/vm" in ss(8) and /proc/net/unix */
#define POD_LOCK_KEPT_NAME "sluice/vm.keeper"
#define POD_LOCK_WAIT_MS   5000
#define POD_LOCK_WHO_MAX   64

struct pod_lock {
	int alive; /* CLOEXEC, as the other */
	int kept;  /* for the keeper, too (keeper_hold()) */
};

#define POD_LOCK_NONE                                                                              \
	(struct pod_lock)                                                                          \
	{                                                                                          \
		.alive = -1, .kept = -1                                                            \
	}

/*
 * -EBUSY: there is a VM in this network namespace, and who has it, if that can be seen from here;
 * or one that ended has not been cleaned up behind in POD_LOCK_WAIT_MS.
 */
int pod_lock_take(struct pod_lock *lock, struct err *err);
void pod_lock_release(struct pod_lock *lock);

/* Without taking it: whether somebody has it who lives. Then who[POD_LOCK_WHO_MAX] says who, such
 * as "process 7 has @sluice/vm". */
bool pod_lock_is_taken(char *who);
