/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How many descriptors a process may have. The soft limit that a shell sets (1024) is for programs
 * that use select(2).
 */

#include <sys/resource.h>

/* Makes the soft limit `wanted`, or the hard one if that is less (RLIM_INFINITY: always). 0, or a
 * negative errno. Async-signal-safe. */
int nofile_raise(rlim_t wanted);
