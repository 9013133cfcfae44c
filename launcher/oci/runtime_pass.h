/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The runtime that runs containers, in this process's place. */

#include "config/runtime_settings.h"
#include "lib/err.h"

/*
 * Executes it with these words but for argv[0], which becomes its path; environment and descriptors
 * stay as they are. Returns only if that fails: negative errno.
 */
int runtime_pass(const struct runtime_settings *settings, char **argv, struct err *err);

/* -ELOOP: it is this program, which would go round and round. */
int runtime_pass_check(const struct runtime_settings *settings, struct err *err);
