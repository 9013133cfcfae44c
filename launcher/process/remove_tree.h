/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Removes a file or a directory with all that is in it. It follows no symbolic link below `path`,
 * and never enters what is mounted there, be it the same file system bound (openat2(2),
 * RESOLVE_NO_XDEV): a volume of somebody's is left as it is, and with it the directories above.
 *
 * Async-signal-safe: no allocation, little stack.
 *
 * Returns 0, also if there is nothing, or the first error: -EBUSY or -EXDEV: something is mounted
 * there; -ELOOP: more than REMOVE_TREE_DEPTH_MAX directories deep.
 */

#define REMOVE_TREE_DEPTH_MAX 64

int remove_tree(const char *path);
