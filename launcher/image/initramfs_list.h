/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The archives in a cache of initramfs_get(). */

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/err.h"

#define INITRAMFS_VERSION_MAX 128
#define INITRAMFS_HASH_TEXT   65

struct initramfs_archive {
	char kernel[INITRAMFS_VERSION_MAX]; /* "": without modules */
	char hash[INITRAMFS_HASH_TEXT];
	uint64_t len;
	time_t made;
};

/* Takes a file's name apart: 0, or -EINVAL: it is not that of an archive. */
int initramfs_name_parse(const char *name, struct initramfs_archive *archive);

/* The latest first; *archives is to be freed. A cache that is not there is empty. */
int initramfs_list(
	const char *cache_dir, struct initramfs_archive **archives, size_t *n, struct err *err);
