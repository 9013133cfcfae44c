/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A guest's initramfs for one test: one of tests/guest's with files of the test's own behind it, as
 * a second cpio archive. The script becomes /test-init.
 */

#include <stddef.h>

struct guest_image {
	const char *base;   /* path of the archive to begin with */
	const char *script; /* without its first line */
	/* More files, each to /test/NAME; NULL-terminated. */
	const char *files[8];
};

/* Writes it to `path`; fails the test if it cannot. */
void guest_image_write(const struct guest_image *image, const char *path);
