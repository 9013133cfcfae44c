/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Process 1 of a workload's PID namespace for one that would rather not be it: without it, signals
 * that the workload has no handler for would not reach it, and whom it orphans would stay zombies.
 * As catatonit and tini do it: signals go on to the child, all that ends is waited for, and the
 * child's end is its own, 128 and the signal if it was one.
 */

#include "lib/err.h"

/* Forks: returns in the child, which has all signals blocked as the caller has, or -errno. The
 * caller, a process of its own with nothing to lose, is the init from then on. */
int small_init_begin(struct err *err);
