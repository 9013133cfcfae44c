/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * One setting: a row that says what it is called, what it may be and where its value is stored,
 * and the two ways a value comes in: as JSON (a file) and as text (command line, environment,
 * annotation, the default itself). Both accept the same values and give the same messages.
 *
 * Messages do not name the setting; callers wrap them with the place the value came from.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

enum setting_type {
	SETTING_STRING, /* char[]: printable, not empty */
	SETTING_NAME,   /* char[]: letters, digits, '.', '_' and '-' */
	SETTING_PATH,   /* char[]: absolute */
	SETTING_BOOL,   /* bool */
	SETTING_U32,    /* an integer field of 2 or 4 bytes: min to max, or one of the words */
	SETTING_ENUM,   /* an integer field of 4 bytes: one of the words */
	SETTING_MAC,    /* struct mac: unicast, not zero */
	SETTING_ARRAY,  /* file only; checked to be an array, decoded by whoever owns the table */
};

/* A value that is written as a word. Lists end with a NULL name. */
struct setting_word {
	const char *name;
	int64_t value;
};

struct setting {
	const char *name; /* kebab-case */
	enum setting_type type;
	size_t offset, size; /* of the field in the target struct; see SETTING_FIELD() */
	const char *preset;  /* the default, as text; NULL: the field is left zero ("none") */
	const char *help;    /* one phrase, lower case, no full stop */
	const char *unit;    /* what --help calls the value: "N", "FILE" … */
	uint32_t min, max;   /* SETTING_U32 */
	const struct setting_word *words;
	unsigned groups; /* bits of the groups (port kinds, say) it belongs to; 0: all of them */
	bool required;
};

#define SETTING_FIELD(type, member)                                                                \
	.offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)

/* Both store into `target` on success only. -EINVAL or -ERANGE otherwise. */
int setting_set_json(const struct setting *row, const json_t *value, void *target, struct err *err);
int setting_set_text(const struct setting *row, const char *text, void *target, struct err *err);

/* Writes what the row accepts into text[size]: `0 to 1000000 or "max"`. Returns text. */
char *setting_allowed(const struct setting *row, char *text, size_t size);
