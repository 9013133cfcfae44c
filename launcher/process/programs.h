/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Where the programs are that belong to this one: beside it, where meson installs them, or in the
 * build tree. Never in PATH: what is there may be another version, or somebody else's.
 */

#include "lib/err.h"

/* Into path[PATH_MAX]. -ENOENT: nowhere. */
int programs_find(const char *name, char *path, struct err *err);
