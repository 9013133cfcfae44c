/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * An environment that is put together of layers. Strings are bytes, borrowed, and need not have a
 * '='. One layer alone is kept as it is, in its order, with whatever it has twice.
 */

#include <stddef.h>

#include "lib/err.h"

struct exec_env {
	char **strings; /* NULL until something was added; then ends with NULL */
	size_t n;
};

/* Adds a layer of `n` strings; those of earlier layers that have the name of one of them go. */
int exec_env_add(struct exec_env *env, char *const *layer, size_t n);

/*
 * Reads a file of strings, each ended by NUL (the last one need not be), as /proc/PID/environ is.
 * *bytes and *strings are to be freed. -E2BIG: longer than the agent takes.
 */
int exec_env_read(const char *path, char **bytes, char ***strings, size_t *n, struct err *err);
