/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What is mounted, by /proc/self/mountinfo (proc(5)). */

#include <stddef.h>

/* Calls `visit` for each mount point but "/" and /proc, the last mounted first. */
int mount_list_each_last_first(void (*visit)(void *context, const char *path), void *context);

/* The mount point in a line of mountinfo, its escapes undone, in place: NULL if there is none. */
char *mount_list_point(char *line);
