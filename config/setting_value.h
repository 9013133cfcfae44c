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

#include "config/setting_word.h"
#include "lib/err.h"

enum setting_type {
	SETTING_STRING, /* char[], or see `heap`: printable, not empty */
	SETTING_NAME,   /* as STRING: letters, digits, '.', '_' and '-' */
	SETTING_PATH,   /* as STRING: absolute */
	SETTING_TEXT,   /* char *, heap: lines of any text, which may be empty */
	SETTING_BOOL,   /* bool */
	SETTING_U32,    /* an integer field of 2 or 4 bytes: min to max, or one of the words */
	SETTING_ENUM,   /* an integer field of 4 bytes: one of the words */
	SETTING_MAC,    /* struct mac: unicast, not zero */
	SETTING_LIST,   /* integers of 1, 2 or 4 bytes, in order; see setting_list.h */
	SETTING_SET,    /* uint64_t[], a bit for each number; see setting_list.h */
	SETTING_ADDRS,  /* struct ip_addr[], in order; see setting_addr.h */
	SETTING_IP,     /* struct ip_addr: one address, not the unspecified */
	SETTING_ARRAY,  /* file only; checked to be an array, decoded by whoever owns the table */
	SETTING_OBJECT, /* as ARRAY */
};

struct setting {
	const char *name; /* kebab-case */
	enum setting_type type;
	size_t offset, size; /* of the field in the target struct; see SETTING_FIELD() */
	size_t item_size;    /* SETTING_LIST: of one integer */
	size_t n_offset;     /* LIST, SET, ADDRS: of a byte: how many, or whether there is a set */
	const char *preset;  /* the default, as text; NULL: the field is left zero ("none") */
	const char *help;    /* one phrase, lower case, no full stop */
	const char *unit;    /* what --help calls the value: "N", "FILE" … */
	uint32_t min, max;   /* U32, LIST, SET; `max` bytes of what is on the heap */
	const struct setting_word *words;
	unsigned groups; /* bits of the groups (port kinds, say) it belongs to; 0: all of them */
	bool required;
	bool not_annotated;  /* for the administrator: not to be set by annotation */
	bool host_affecting; /* in a pod's own hands it reaches the node or other pods: as
				not_annotated there. Single words can be so as well */
	bool container_own;  /* of a container that becomes a VM, what its config.json says */
	bool as_text;        /* SETTING_LIST: written to JSON as text, not as an array */
	bool heap; /* the field is a char * that its owner frees; NULL: it was never set */
};

#define SETTING_FIELD(type, member)                                                                \
	.offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)

/* SETTING_LIST: `count` is a member of one byte. */
#define SETTING_LIST_FIELD(type, member, count)                                                    \
	SETTING_FIELD(type, member), .item_size = sizeof(((type *)NULL)->member[0]),               \
				     .n_offset = offsetof(type, count)

/* SETTING_SET: `given` is a bool. */
#define SETTING_SET_FIELD(type, member, given)                                                     \
	SETTING_FIELD(type, member), .n_offset = offsetof(type, given)

/* SETTING_ADDRS: `count` is a member of one byte. */
#define SETTING_ADDRS_FIELD(type, member, count)                                                   \
	SETTING_FIELD(type, member), .n_offset = offsetof(type, count)

/* Both store into `target` on success only, and then all bytes of the field. -EINVAL or -ERANGE
 * otherwise. */
int setting_set_json(const struct setting *row, const json_t *value, void *target, struct err *err);
int setting_set_text(const struct setting *row, const char *text, void *target, struct err *err);

/* The field's value as setting_set_json() takes it: a new reference, NULL when memory is short.
 * Not for SETTING_ARRAY and SETTING_OBJECT. */
json_t *setting_get_json(const struct setting *row, const void *target);

/* Decoded by whoever owns the table. */
static inline bool setting_is_composite(const struct setting *row)
{
	return row->type == SETTING_ARRAY || row->type == SETTING_OBJECT;
}

/* Whether the field holds nothing, as when it was never set. */
bool setting_is_zero(const struct setting *row, const void *target);

/* Makes the field what it is when nobody sets it: the preset, or zero. */
void setting_reset(const struct setting *row, void *target);

/* `text` as the JSON value that the row takes, if it takes one; a new reference, NULL if it is not
 * UTF-8. Not checked any further: the row judges it. */
json_t *setting_text_to_json(const struct setting *row, const char *text);
