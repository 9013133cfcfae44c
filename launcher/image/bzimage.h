/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Linux for x86 as distributions have it: a program that unpacks the kernel proper, an ELF file,
 * which is packed within (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
 */

#include <stddef.h>
#include <stdint.h>

/* How it is packed, by its first bytes. */
enum packing { PACKING_UNKNOWN, PACKING_GZIP, PACKING_LZ4, PACKING_XZ, PACKING_ZSTD };

struct bzimage {
	enum packing packing;
	const uint8_t *payload; /* within the bytes that were looked at */
	size_t len;             /* with what the kernel's build puts behind it */
};

/* -ENOEXEC: the bytes are no such kernel, or an older one's (before boot protocol 2.08). */
int bzimage_find(const uint8_t *bytes, size_t len, struct bzimage *image);
