/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * DPDK's libraries and drivers say what went wrong in lines of their own log, and return -1. Here
 * those lines become fields of ours, or, while a device is set up, the text of its error.
 *
 * Thread-safety: lines may come from any thread; kept are those of the thread that asked.
 */

#include <stddef.h>

#include "lib/err.h"

/* Takes the log over; call before rte_eal_init(). Without it everything below does nothing. */
int dpdk_log_start(struct err *err);

/* From now on this thread's lines are kept, not logged; forgets what was kept before. */
void dpdk_log_keep(void);

/* Ends keeping: returns the line that says most, "" if there was none. Valid until the next
 * dpdk_log_keep() of this thread. */
const char *dpdk_log_kept(void);
