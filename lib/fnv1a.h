/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * FNV-1a of 32 bits: the same bytes give the same number everywhere, which makes names and
 * addresses out of longer names. Nothing hostile is kept apart by it.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FNV1A_BEGIN UINT32_C(2166136261)

static inline uint32_t fnv1a(uint32_t hash, const void *bytes, size_t len)
{
	for (const uint8_t *at = bytes; len > 0; at++, len--)
		hash = (hash ^ *at) * UINT32_C(16777619);
	return hash;
}

static inline uint32_t fnv1a_text(const char *text)
{
	return fnv1a(FNV1A_BEGIN, text, strlen(text));
}
