/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Whether a directory may be given to a guest over NFS.
 *
 * An NFS client names files by handles, which for nfs-ganesha on a Linux file system hold little
 * more than an inode number, unsigned, and the server does not ask where that inode is: whoever has
 * one directory of a file system has all of it (with one directory of / exported, a client that put
 * in inode 2 read /etc/shadow). So a directory is exported only if it is the root of its own file
 * system, the whole of it: a persistent volume, a tmpfs, an image. Anything else belongs on
 * virtiofs. The same goes for what is mounted below it, which the server exports too: no
 * such mount may come later, as one that is propagated into a container could.
 *
 * A server finds files by their handles again (open_by_handle_at(2)), which takes
 * CAP_DAC_READ_SEARCH and a file system that can. nfs-ganesha without either mounts well and shows
 * empty directories: hence the probe before it is started.
 */

#include <stdbool.h>

#include "lib/err.h"

struct nfs_export {
	const char *path; /* an absolute path; symbolic links are followed */
	bool readonly;
};

/*
 * 0; -EXDEV: the directory is not the root of a file system of its own, and `allow_shared` (the
 * administrator's word that the guest may have all of that file system) is not set; -EPERM: handles
 * are refused here; -EOPNOTSUPP: the file system has none; -ENOENT, -ENOTDIR ...
 */
int nfs_export_check(const struct nfs_export *nfs_export, bool allow_shared, struct err *err);
