/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"

#include <string.h>

/* The parameter that "{key}" at `text` names; *len is the length of that. */
static const json_t *param_at(const char *text, const json_t *params, size_t *len)
{
	char key[32];

	*len = strcspn(text, "}") + 1;
	snprintf(key, sizeof(key), "%.*s", (int)*len - 2, text + 1);
	return json_object_get(params, key);
}

static void print_value(const json_t *value, FILE *out)
{
	if (json_is_string(value))
		fputs(json_string_value(value), out);
	else
		json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT);
}

/* Whether all parameters up to the ']' are there. */
static bool is_complete(const char *text, const json_t *params)
{
	for (; *text != ']'; text++) {
		size_t len;

		if (*text == '{' && param_at(text, params, &len) == NULL)
			return false;
	}
	return true;
}

void done_print(const char *pattern, const json_t *params, FILE *out)
{
	while (*pattern != '\0') {
		size_t len = 1;

		if (*pattern == '[' && !is_complete(pattern, params))
			len = strcspn(pattern, "]");
		else if (*pattern == '{')
			print_value(param_at(pattern, params, &len), out);
		else if (*pattern != '[' && *pattern != ']')
			fputc(*pattern, out);
		pattern += len;
	}
	fputc('\n', out);
}
