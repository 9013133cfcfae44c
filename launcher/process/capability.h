/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/capability.h>

/* A set of capabilities has a bit for each number. */
#define CAPABILITY(number) (UINT64_C(1) << (number))

/* Whether this process has it now, by its number: CAP_NET_ADMIN (<linux/capability.h>). */
bool capability_held(unsigned number);

/*
 * Leaves this process those of `kept` that it has, and no way to come by others: what it executes
 * has these and no more, root or not, set-user-ID or not.
 *
 * Async-signal-safe. Returns 0 or negative errno.
 */
int capability_keep(uint64_t kept);
