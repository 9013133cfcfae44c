/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The Internet checksum, RFC 1071, over scattered memory. */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct frame;

/*
 * Adds `len` bytes at `data` to the running sum (start with 0). `so_far` is the number of bytes
 * summed so far: a piece that begins at an odd offset is added byte-swapped. The sum is a partial
 * one's complement sum of the bytes as loaded; plain addition to it may lose a carry, so a single
 * value is added by its address too. Fold it with checksum_fold().
 */
uint64_t checksum_add(uint64_t sum, const void *data, size_t len, size_t so_far);

/* Folds to 16 bits and complements: the value to store into a header with memcpy(). */
uint16_t checksum_fold(uint64_t sum);

/* The running sum of the frame's bytes [start, end), which begin in its head. */
uint64_t checksum_frame(const struct frame *f, uint32_t start, uint32_t end);
