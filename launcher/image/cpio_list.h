/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What is in an archive of the format that cpio.h writes ("newc"), whoever has written it. */

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

struct cpio_row {
	uint32_t mode, uid, gid, len;
	char name[PATH_MAX]; /* as it is there: without a leading '/', as a rule */
};

/*
 * The entry at *at, which becomes the next one's place. 1; 0: that was the archive's last;
 * -EBADMSG: there is none, or it is damaged; or as pread(2).
 */
int cpio_list_next(int fd, uint64_t *at, struct cpio_row *row, struct err *err);

/* Prints the entries of the directory `path` ("/", "/image/etc"), or the one that is no directory:
 * a line each. -ENOENT: there is none. */
int cpio_list(const char *archive, const char *path, FILE *out, struct err *err);
