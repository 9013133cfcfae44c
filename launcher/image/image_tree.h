/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A directory tree as it is, in an archive: owners, modes, times of modification, symlinks,
 * devices. Not kept are sockets, hard links and extended attributes, which the format has not.
 */

#include "launcher/image/cpio.h"

/* `tree` becomes `path` in the archive. Sorted by name: the same tree gives the same bytes. Nothing
 * outside the tree is read, whatever its symlinks say. */
int image_tree_add(struct cpio *cpio, const char *tree, const char *path, struct err *err);
