/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/field.h"

static void append(char *text, size_t *len, const char *more)
{
	if (*len < VALUE_TEXT_MAX)
		*len += (size_t)snprintf(text + *len, VALUE_TEXT_MAX - *len, "%s", more);
}

static void append_scalar(const json_t *value, char *text, size_t *len)
{
	char number[NUMBER_TEXT_MAX];

	if (json_is_string(value)) {
		append(text, len, json_string_value(value));
	} else if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		append(text, len, number);
	} else if (json_is_boolean(value)) {
		append(text, len, json_is_true(value) ? "yes" : "no");
	} else {
		append(text, len, "-");
	}
}

char *value_text(const json_t *value, char text[VALUE_TEXT_MAX])
{
	const json_t *item;
	size_t len = 0;
	size_t i;

	text[0] = '\0';
	if (!json_is_array(value))
		append_scalar(value, text, &len);
	json_array_foreach (value, i, item) {
		append(text, &len, i > 0 ? "," : "");
		append_scalar(item, text, &len);
	}
	return text;
}
