/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * One VM to a pod: it takes over what comes in on the pod's interface, and a second one would have
 * to share that with it. Containers of a pod have nothing in common but the network namespace, so
 * that is where the lock is: an abstract unix socket, which the kernel removes with the last
 * descriptor of it, however its owner ended.
 */

#include <stdbool.h>

#include "lib/err.h"

#define POD_LOCK_NAME    "sluice/vm" /* "@sluice/vm" in ss(8) and /proc/net/unix */
#define POD_LOCK_WHO_MAX 64

/*
 * A descriptor to be closed at the end, CLOEXEC. -EBUSY: there is a VM in this network namespace,
 * and who has it, if that can be seen from here.
 */
int pod_lock_take(struct err *err);

/* Without taking it: whether somebody has it. Then who[POD_LOCK_WHO_MAX] says who, such as "process
 * 7 has @sluice/vm". */
bool pod_lock_is_taken(char *who);
