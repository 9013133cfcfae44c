/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/setting_allowed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ALLOWED_MAX 256

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

static char *append_range(const struct setting *row, char *text, size_t size)
{
	char range[32];

	snprintf(range, sizeof(range), "%" PRIu32 " to %" PRIu32, row->min, row->max);
	append(text, size, range);
	if (row->words != NULL) {
		append(text, size, " or ");
		append_words(row->words, text, size);
	}
	return text;
}

static void append_list(const struct setting *row, char *text, size_t size)
{
	char phrase[96];

	append(text, size, "a list of ");
	if (row->type == SETTING_LIST) {
		snprintf(phrase, sizeof(phrase), "at most %zu ", row->size / row->item_size);
		append(text, size, phrase);
	}
	snprintf(phrase, sizeof(phrase),
		"numbers from %" PRIu32 " to %" PRIu32 "%s ranges such as \"4-7\"", row->min,
		row->max, row->words != NULL ? "," : " or");
	append(text, size, phrase);
	if (row->words != NULL) {
		append(text, size, " or ");
		append_words(row->words, text, size);
	}
}

size_t setting_len_max(const struct setting *row)
{
	return row->heap ? row->max : row->size - 1;
}

char *setting_allowed(const struct setting *row, char *text, size_t size)
{
	size_t len_max = setting_len_max(row);

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
	case SETTING_TEXT:
		snprintf(text, size, "text of at most %zu bytes", len_max);
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
	case SETTING_LIST:
	case SETTING_SET:
		append_list(row, text, size);
		break;
	case SETTING_ADDRS:
		append(text, size, "a list of IP addresses such as \"10.0.0.2,fd00::2\"");
		break;
	case SETTING_IP:
		append(text, size, "an IP address such as \"10.0.0.2\" or \"fd00::2\"");
		break;
	case SETTING_ARRAY:
		append(text, size, "an array of objects");
		break;
	case SETTING_OBJECT:
		append(text, size, "an object");
		break;
	}
	return text;
}

char *setting_annotated(const struct setting *row, char *text, size_t size)
{
	static const char condition[] = " by a pod's annotation only if its node allows it";

	text[0] = '\0';
	if (row->not_annotated)
		append(text, size, "; not by annotation");
	else if (row->host_affecting)
		snprintf(text, size, ";%s", condition);
	for (const struct setting_word *w = row->words; w != NULL && w->name != NULL; w++)
		if (w->host_affecting)
			snprintf(text, size, "; \"%s\"%s", w->name, condition);
	return text;
}

/* `given` is what was there instead, as it should be quoted. */
static int refuse(const struct setting *row, const char *given, struct err *err)
{
	char allowed[ALLOWED_MAX];

	return err_set(err, -EINVAL, "%s is not allowed (must be %s%s)", given,
		row->type == SETTING_U32 ? "a number from " : "",
		setting_allowed(row, allowed, sizeof(allowed)));
}

int setting_refuse_text(const struct setting *row, const char *text, struct err *err)
{
	char quoted[64];

	snprintf(quoted, sizeof(quoted), strlen(text) < 50 ? "\"%s\"" : "\"%.50s...\"", text);
	return refuse(row, quoted, err);
}

int setting_refuse_json(const struct setting *row, const json_t *value, struct err *err)
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
		return setting_refuse_text(row, json_string_value(value), err);
	return refuse(row, article[json_typeof(value)], err);
}

int setting_refuse_number(const struct setting *row, int64_t value, struct err *err)
{
	char range[ALLOWED_MAX] = "";

	return err_set(err, -ERANGE, "%" PRId64 " is out of range (%s)", value,
		append_range(row, range, sizeof(range)));
}
