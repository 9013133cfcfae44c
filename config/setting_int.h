/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Integer fields of 1, 2 or 4 bytes, signed or not: a value is kept modulo its field's size. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "config/setting_value.h"

static inline void setting_int_store(void *field, size_t size, int64_t value)
{
	uint8_t byte = (uint8_t)value;
	uint16_t half = (uint16_t)value;
	uint32_t word = (uint32_t)value;

	assert(size == sizeof(byte) || size == sizeof(half) || size == sizeof(word));
	if (size == sizeof(byte))
		memcpy(field, &byte, sizeof(byte));
	else if (size == sizeof(half))
		memcpy(field, &half, sizeof(half));
	else
		memcpy(field, &word, sizeof(word));
}

static inline uint32_t setting_int_load(const void *field, size_t size)
{
	uint8_t byte;
	uint16_t half;
	uint32_t word;

	assert(size == sizeof(byte) || size == sizeof(half) || size == sizeof(word));
	if (size == sizeof(byte))
		return memcpy(&byte, field, sizeof(byte)), byte;
	if (size == sizeof(half))
		return memcpy(&half, field, sizeof(half)), half;
	return memcpy(&word, field, sizeof(word)), word;
}

/* The word that stands for a field's value; NULL: it is a number. */
static inline const char *setting_int_word(const struct setting *row, uint32_t value)
{
	for (const struct setting_word *w = row->words; w != NULL && w->name != NULL; w++) {
		if ((uint32_t)w->value == value)
			return w->name;
	}
	return NULL;
}

/* NULL: there is no such word. */
static inline const struct setting_word *setting_int_find(
	const struct setting *row, const char *text)
{
	for (const struct setting_word *w = row->words; w != NULL && w->name != NULL; w++) {
		if (strcmp(w->name, text) == 0)
			return w;
	}
	return NULL;
}
