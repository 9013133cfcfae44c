/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/setting_value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mac.h"

#define ALLOWED_MAX 256

static void *field_of(const struct setting *row, void *target)
{
	return (char *)target + row->offset;
}

static void store_int(const struct setting *row, int64_t value, void *target)
{
	void *field = field_of(row, target);

	if (row->size == sizeof(uint16_t)) {
		uint16_t narrow = (uint16_t)value;

		memcpy(field, &narrow, sizeof(narrow));
	} else {
		uint32_t wide = (uint32_t)value;

		assert(row->size == sizeof(wide));
		memcpy(field, &wide, sizeof(wide));
	}
}

static void append(char *text, size_t size, const char *more)
{
	size_t len = strlen(text);

	if (len + 1 < size)
		strncat(text, more, size - len - 1);
}

/* "a", "b" or "c" */
static void append_words(const struct setting_word *word, char *text, size_t size)
{
	for (; word->name != NULL; word++) {
		append(text, size, "\"");
		append(text, size, word->name);
		append(text, size, "\"");
		if (word[1].name != NULL)
			append(text, size, word[2].name != NULL ? ", " : " or ");
	}
}

static void append_range(const struct setting *row, char *text, size_t size)
{
	char range[32];

	snprintf(range, sizeof(range), "%" PRIu32 " to %" PRIu32, row->min, row->max);
	append(text, size, range);
	if (row->words != NULL) {
		append(text, size, " or ");
		append_words(row->words, text, size);
	}
}

char *setting_allowed(const struct setting *row, char *text, size_t size)
{
	size_t len_max = row->size - 1;

	text[0] = '\0';
	switch (row->type) {
	case SETTING_STRING:
		snprintf(text, size, "printable text of 1 to %zu bytes", len_max);
		break;
	case SETTING_NAME:
		snprintf(text, size, "1 to %zu letters, digits, '.', '_' or '-'", len_max);
		break;
	case SETTING_PATH:
		snprintf(text, size, "an absolute path of at most %zu bytes", len_max);
		break;
	case SETTING_BOOL:
		append(text, size, "true or false");
		break;
	case SETTING_U32:
		append_range(row, text, size);
		break;
	case SETTING_ENUM:
		append_words(row->words, text, size);
		break;
	case SETTING_MAC:
		append(text, size, "a unicast MAC address such as \"02:00:00:00:00:01\"");
		break;
	case SETTING_ARRAY:
		append(text, size, "an array of objects");
		break;
	}
	return text;
}

/* `given` is what was there instead, as it should be quoted. */
static int not_allowed(const struct setting *row, const char *given, struct err *err)
{
	char allowed[ALLOWED_MAX];

	return err_set(err, -EINVAL, "%s is not allowed (must be %s%s)", given,
		row->type == SETTING_U32 ? "a number from " : "",
		setting_allowed(row, allowed, sizeof(allowed)));
}

static int text_not_allowed(const struct setting *row, const char *text, struct err *err)
{
	char quoted[64];

	snprintf(quoted, sizeof(quoted), strlen(text) < 50 ? "\"%s\"" : "\"%.50s...\"", text);
	return not_allowed(row, quoted, err);
}

static bool is_name(const char *text)
{
	for (; *text != '\0'; text++) {
		if (!isalnum((unsigned char)*text) && strchr("._-", *text) == NULL)
			return false;
	}
	return true;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text))
			return false;
	}
	return true;
}

static int set_string(const struct setting *row, const char *text, void *target, struct err *err)
{
	if (text[0] == '\0' || strlen(text) >= row->size || !is_printable(text) ||
		(row->type == SETTING_NAME && !is_name(text)) ||
		(row->type == SETTING_PATH && text[0] != '/'))
		return text_not_allowed(row, text, err);
	memcpy(field_of(row, target), text, strlen(text) + 1);
	return 0;
}

static int set_mac(const struct setting *row, const char *text, void *target, struct err *err)
{
	struct mac mac;

	if (mac_parse(text, &mac) < 0)
		return text_not_allowed(row, text, err);
	if (mac_is_multicast(&mac) || mac_is_zero(&mac))
		return err_set(err, -EINVAL, "\"%s\" is %s (must be a unicast address)", text,
			mac_is_zero(&mac) ? "zero" : "multicast");
	memcpy(field_of(row, target), &mac, sizeof(mac));
	return 0;
}

static int set_int(const struct setting *row, int64_t value, void *target, struct err *err)
{
	char allowed[ALLOWED_MAX];

	if (value < row->min || value > row->max)
		return err_set(err, -ERANGE, "%" PRId64 " is out of range (%s)", value,
			setting_allowed(row, allowed, sizeof(allowed)));
	store_int(row, value, target);
	return 0;
}

static int set_word(const struct setting *row, const char *text, void *target, struct err *err)
{
	for (const struct setting_word *w = row->words; w != NULL && w->name != NULL; w++) {
		if (strcmp(w->name, text) == 0) {
			store_int(row, w->value, target);
			return 0;
		}
	}
	return text_not_allowed(row, text, err);
}

static int set_bool(const struct setting *row, bool value, void *target)
{
	assert(row->size == sizeof(value));
	memcpy(field_of(row, target), &value, sizeof(value));
	return 0;
}

/* What text and JSON strings have in common: the types that are written as words. */
static int set_wordlike(const struct setting *row, const char *text, void *target, struct err *err)
{
	switch (row->type) {
	case SETTING_STRING:
	case SETTING_NAME:
	case SETTING_PATH:
		return set_string(row, text, target, err);
	case SETTING_MAC:
		return set_mac(row, text, target, err);
	case SETTING_U32:
	case SETTING_ENUM:
		return set_word(row, text, target, err);
	case SETTING_BOOL:
	case SETTING_ARRAY:
		break;
	}
	return text_not_allowed(row, text, err);
}

int setting_set_json(const struct setting *row, const json_t *value, void *target, struct err *err)
{
	static const char *const article[] = {
		[JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "an array",
		[JSON_INTEGER] = "a number",
		[JSON_REAL] = "a fraction",
		[JSON_TRUE] = "true",
		[JSON_FALSE] = "false",
		[JSON_NULL] = "null",
	};

	if (json_is_string(value))
		return set_wordlike(row, json_string_value(value), target, err);
	if (json_is_integer(value) && row->type == SETTING_U32)
		return set_int(row, json_integer_value(value), target, err);
	if (json_is_boolean(value) && row->type == SETTING_BOOL)
		return set_bool(row, json_is_true(value), target);
	if (json_is_array(value) && row->type == SETTING_ARRAY)
		return 0;
	return not_allowed(row, article[json_typeof(value)], err);
}

int setting_set_text(const struct setting *row, const char *text, void *target, struct err *err)
{
	if (row->type == SETTING_BOOL && strcmp(text, "true") == 0)
		return set_bool(row, true, target);
	if (row->type == SETTING_BOOL && strcmp(text, "false") == 0)
		return set_bool(row, false, target);
	if (row->type == SETTING_U32 && text[0] != '\0' &&
		text[strspn(text, "0123456789")] == '\0') {
		errno = 0;
		long long value = strtoll(text, NULL, 10);

		return errno == 0 ? set_int(row, value, target, err)
				  : text_not_allowed(row, text, err);
	}
	return set_wordlike(row, text, target, err);
}
