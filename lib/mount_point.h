/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Places in a guest's root where something is to be mounted. The root is the user's: its symlinks
 * are followed as they are inside of it (an absolute one begins there, ".." of it is itself), and
 * none of them leads out of it.
 */

#include <stdbool.h>

#include "lib/err.h"

#define MOUNT_POINT_LINKS_MAX 40 /* as the kernel's own */

/*
 * *fd becomes an O_PATH descriptor of `path` below the directory `root`. What is missing is
 * created: directories (0755), and the last one as an empty file (0644) unless `directory`. A
 * symlink to what is not there makes it be there.
 *
 * -ENOTDIR, -EISDIR: it is the other kind; -ELOOP: too many symlinks, or one that appeared just
 * now; -EROFS and so on.
 */
int mount_point_open(int root, const char *path, bool directory, int *fd, struct err *err);
