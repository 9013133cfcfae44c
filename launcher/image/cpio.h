/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Writes cpio archives of the format "newc" (Documentation/driver-api/early-userspace/
 * buffer-format.rst), the one that Linux unpacks as initramfs. What is written is hashed on its
 * way: the hash is the name that an archive has in the cache. Without a descriptor nothing is
 * written, and the hash tells what would be.
 *
 * Entries are unpacked in order: a directory before what is in it. Every entry is one of its own,
 * hard links are not kept.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

#define CPIO_ALIGN       4
#define CPIO_DIGEST_TEXT 65 /* 64 hexadecimal digits and NUL */

struct cpio;

struct cpio_entry {
	const char *path; /* without a leading '/' */
	mode_t mode;      /* with its type */
	uid_t uid;
	gid_t gid;
	uint32_t mtime;
	dev_t rdev;       /* of a device */
	const void *data; /* a file's contents, a symlink's target, `len` bytes; or, if NULL: */
	int fd;           /* `len` bytes are read from here */
	uint64_t len;
};

/* `fd` is borrowed, written from where it stands; -1: none. */
int cpio_open(int fd, struct cpio **out, struct err *err);

/* -ENAMETOOLONG, -EFBIG: more than the kernel or the format takes; -EIO: the file is shorter than
 * it was said to be; or as write(2). After an error the archive is good for nothing. */
int cpio_add(struct cpio *cpio, const struct cpio_entry *entry, struct err *err);

/* The archive's end. digest[CPIO_DIGEST_TEXT] is the SHA-256 of its *len bytes; may be NULL. */
int cpio_finish(struct cpio *cpio, char *digest, uint64_t *len, struct err *err);

/* May be NULL. */
void cpio_free(struct cpio *cpio);
