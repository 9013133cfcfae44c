/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The guest's initramfs: sluice-agent as /init, the modules of the guest's kernel that it needs,
 * and /etc/sluice/modules with their paths in the order in which they are to be loaded. It is
 * cached by a hash of all that goes into it, and is the same for every VM.
 *
 * What is a VM's own (machine spec, argument and environment vectors) is a second segment, appended
 * at a multiple of four bytes to the copy that the VM boots from; that one is private, and never in
 * the cache. Linux unpacks segments one after the other (Documentation/driver-api/early-userspace/
 * buffer-format.rst).
 */

#include <stddef.h>

#include "lib/err.h"

struct initramfs_plan {
	const char *agent;          /* the static sluice-agent */
	const char *modules_dir;    /* "/lib/modules/6.1.0-..." with modules.dep; NULL: none */
	const char *const *modules; /* names without .ko, NULL-terminated; built-in ones need no
				     * file, and "?name" need not be there at all */
	const char *tree;           /* a directory that becomes /image; NULL: none */
	const char *cache_dir;      /* created if missing, 0755 */
};

/*
 * The path of the cached archive, made if it is not there: to be freed. -ENOENT: a program or
 * module is missing (a module that is neither a file nor built in is named); -ENOSPC and so on.
 */
int initramfs_get(const struct initramfs_plan *plan, char **path, struct err *err);

struct initramfs_file {
	const char *path; /* in the guest, without a leading '/': "run/sluice/argv" */
	const void *data;
	size_t len;
};

/* Writes `archive` and a segment of these files (0600, their directories 0700) to a new file of
 * mode 0600. -EEXIST: there is one. It is removed again on failure. */
int initramfs_seal(const char *archive, const struct initramfs_file *files, size_t n_files,
	const char *path, struct err *err);

/* The same to an empty file that is open for writing. */
int initramfs_seal_fd(const char *archive, const struct initramfs_file *files, size_t n_files,
	int fd, struct err *err);
