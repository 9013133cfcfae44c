/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Where a program is: a name with a slash is its path, any other is looked up in PATH, and without
 * a PATH where a system's programs usually are (container engines call runtimes without).
 *
 * path[PATH_MAX] is written. -ENOENT, or -EACCES: it is there, but cannot be executed.
 */

#include "lib/err.h"

int program_find(const char *name, char *path, struct err *err);
