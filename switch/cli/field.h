/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Members of a JSON object as what they are printed as. Absent members and those of another type
 * read as the given alternative, 0 or false: an older daemon may not know them. */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

static inline const char *field_text(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : otherwise;
}

static inline long long field_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static inline bool field_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

#define NUMBER_TEXT_MAX 24

/* A number, or the word that stands in its place ("max"), or `otherwise`. The result is `text` or
 * belongs to the object. */
static inline const char *field_number(
	const json_t *object, const char *key, const char *otherwise, char text[NUMBER_TEXT_MAX])
{
	const json_t *value = json_object_get(object, key);

	if (json_is_integer(value))
		snprintf(text, NUMBER_TEXT_MAX, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(text, NUMBER_TEXT_MAX, "%.1f", json_real_value(value));
	else
		return json_is_string(value) ? json_string_value(value) : otherwise;
	return text;
}

#define VALUE_TEXT_MAX 512

/* Any value: words and numbers as they are, arrays of them with commas, true and false as yes and
 * no, null as "-". What does not fit is cut. Returns text. */
char *value_text(const json_t *value, char text[VALUE_TEXT_MAX]);
