/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A file of the cache while it is made: it grows under a name that nobody takes for a finished one,
 * locked by its maker, and gets its own when it is complete. Those that somebody was killed over
 * are removed by the next one to make such a file.
 */

#include "lib/err.h"

/* A new file in `dir`, mode 0600, and its path: to be freed. Returns the locked descriptor, or
 * negative errno; -EAGAIN: somebody took it for an abandoned one. */
int cache_file_new(const char *dir, char **path, struct err *err);
