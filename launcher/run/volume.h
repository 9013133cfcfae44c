/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Volumes as the command line has them:
 *
 *   --volume SOURCE:DESTINATION[:OPTION,...]   a directory or file of ours, in the guest's root
 *   --tmpfs DESTINATION[:OPTION,...]           memory of the guest's
 *
 * Options: ro, rw, optional (the VM starts without it if need be), nfs (over NFS instead of
 * virtiofs: the root of a file system of its own, see nfs_export.h); of a tmpfs, instead of that,
 * what tmpfs(5) takes: size=64m, mode=1777. Both paths are absolute; a ':' cannot be part of one.
 */

#include "config/machine_spec.h"
#include "lib/err.h"

#define VOLUMES_MAX MACHINE_MOUNTS_MAX

struct volume {
	char *source; /* NULL: a tmpfs */
	char *destination;
	char *options; /* as mount(2) takes them; NULL: none */
	bool readonly, optional, nfs;
	bool ready; /* it is vol/`number` of a share that is ready (share.h) */
	unsigned number;
};

struct volumes {
	struct volume item[VOLUMES_MAX];
	size_t n;
};

/* -EINVAL, -E2BIG. The message does not name the option. */
int volumes_add(struct volumes *volumes, const char *text, bool tmpfs, struct err *err);

/* A container's (container_spec.h): SHARE/vol/`number`, unless it is a tmpfs. */
int volumes_add_ready(struct volumes *volumes, const struct machine_mount *mount, const char *share,
	unsigned number, struct err *err);

/* How many of ours go over NFS (or, with false, over virtiofs). */
size_t volumes_count(const struct volumes *volumes, bool nfs);

/* The same without those that are optional. */
size_t volumes_count_required(const struct volumes *volumes, bool nfs);

void volumes_free(struct volumes *volumes);
