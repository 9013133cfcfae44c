/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The directory that virtiofsd exports: the user's root file system and volumes, at names of ours.
 *
 *      /rootfs     a directory
 *      /vol/0      directories or files, in the order given
 *      /vol/1 ...
 *
 * Each is a mount of its own, of the user's tree with all that is mounted in it: read-only where
 * asked for, and without devices, set-user-ID and execution, none of which a file server has any
 * use for. What the user chose is never a path in it, and a guest that gets virtiofsd to do its
 * bidding finds nothing else there.
 *
 * They are made in a mount namespace that no process is in. It lives by two descriptors: of the
 * namespace, which keeps the mounts together, and of the directory, which virtiofsd gets for its
 * root (a path walk from a directory stays in that directory's namespace). So nothing is mounted in
 * anybody's view: whoever removes what a killed sluice-vm leaves cannot run into a user's volume,
 * and the mounts are gone with the last descriptor, however it went. What is mounted later
 * in the trees shared does not come into them, as in a container: what was made read-only stays it.
 * Nor does the namespace keep busy what else is unmounted (MS_SLAVE).
 *
 * That takes CAP_SYS_ADMIN. Without it (containers have no such thing by default) the root
 * directory itself is exported, and volumes are refused; or a directory that already is as above,
 * which an OCI runtime made (/sluice/share). What is to be read-only in that one must be mounted
 * so: a guest's own promise not to write is none.
 *
 * Thread-safety: main thread. share_open() has a thread of its own enter the namespace and end.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

struct share_item {
	const char *path; /* symbolic links are followed; a directory, or a file (volumes) */
	bool readonly;
};

struct share_plan {
	const char *run_dir;    /* an existing directory: a name to mount on, nothing is written */
	struct share_item root; /* path NULL: none */
	const struct share_item *volumes;
	size_t n_volumes;
	/* A directory that has these names already, which are the items' paths; NULL: none. Those
	 * that are to be read-only have been mounted so. */
	const char *ready;
};

struct share;

/*
 * -EPERM: there are volumes and no CAP_SYS_ADMIN; -ENOENT, -ENOTDIR, -EACCES ...: *err names the
 * item. A plan without root and volumes is -EINVAL.
 */
int share_open(const struct share_plan *plan, struct share **out, struct err *err);

/* Whether share_open() would take this volume. 0, or what it would return. */
int share_check(const struct share_item *item, struct err *err);

/* The same of one in a share that is ready: -EROFS if it should be read-only and is not. */
int share_check_ready(const struct share_item *item, struct err *err);

/* The directory to export; stays the share's. */
int share_dir(const struct share *share);

/* Where the root is in it: "/rootfs", or "/" if it was exported itself. */
const char *share_root(const struct share *share);

/* There are other file systems in it, which the guest has to be told apart (inode numbers). */
bool share_has_mounts(const struct share *share);

/* The mounts go with the last one who holds share_dir(). May be NULL. */
void share_close(struct share *share);
