/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What there is in a cache: initramfs archives (initramfs.h), ext4 images of roots (ext4_image.h),
 * and kernels that were unpacked (kernel_elf.h).
 */

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/err.h"

#define IMAGE_KERNEL_MAX 128
#define IMAGE_HASH_TEXT  65
#define IMAGE_NAME_TEXT  256

enum image_kind { IMAGE_INITRAMFS, IMAGE_EXT4, IMAGE_KERNEL };

struct cached_image {
	enum image_kind kind;
	char name[IMAGE_NAME_TEXT];    /* of the file */
	char hash[IMAGE_HASH_TEXT];    /* of what it was made of */
	char kernel[IMAGE_KERNEL_MAX]; /* an archive's, by its modules; "": it has none */
	uint64_t len, used;            /* what it has, and what it takes: ext4 images have holes */
	time_t made;
};

/* "initramfs", "ext4", "kernel". */
const char *image_kind_name(enum image_kind kind);

/* Takes a file's name apart: 0, or -EINVAL: it is none that the cache gives. */
int image_cache_parse(const char *name, struct cached_image *image);

/* The latest first; *images is to be freed. A cache that is not there is empty. */
int image_cache_list(
	const char *cache_dir, struct cached_image **images, size_t *n, struct err *err);

/*
 * The image that somebody speaks of: a path (with a '/'), a file's name in the cache, or the first
 * digits of a hash, four at least, that one image alone has. path[PATH_MAX]. -ENOENT; -EEXIST:
 * there are several.
 */
int image_cache_find(const char *cache_dir, const char *word, char *path, struct err *err);

/* What kind of image a file is, by its first bytes. -EINVAL: none. */
int image_cache_look(const char *path, enum image_kind *kind, struct err *err);
