/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/argument.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/port_config.h"
#include "lib/cleanup.h"
#include "lib/json_rpc.h"

#define DIGITS_MAX 9
#define KEY_MAX    64

/* Takes `value` over, which is NULL if the word it was made of is not UTF-8. */
static int set_param(json_t *params, const char *key, json_t *value, struct err *err)
{
	if (value == NULL)
		return err_set(err, -EINVAL, "%.64s: is not UTF-8", key);
	if (json_object_get(params, key) != NULL) {
		json_decref(value);
		return err_set(err, -EINVAL, "%.64s: is given twice", key);
	}
	if (json_object_set_new(params, key, value) < 0)
		return err_set(err, -EINVAL, "a key is not UTF-8");
	return 0;
}

static int read_text(FILE *file, const char *path, char *text, size_t *len, struct err *err)
{
	*len = fread(text, 1, JSON_RPC_LINE_MAX + 1, file);
	if (ferror(file))
		return err_errno(err, errno, "%s: cannot read", path);
	if (*len > JSON_RPC_LINE_MAX)
		return err_set(err, -EFBIG, "%s: longer than %d bytes", path, JSON_RPC_LINE_MAX);
	return 0;
}

static int set_file(json_t *params, const char *key, const char *path, struct err *err)
{
	cleanup_free char *text = malloc(JSON_RPC_LINE_MAX + 1);
	FILE *file = fopen(path, "re");
	json_t *value;
	size_t len = 0;
	int ret;

	if (file == NULL)
		return err_errno(err, errno, "%s: cannot open", path);
	ret = text != NULL ? read_text(file, path, text, &len, err)
			   : err_errno(err, ENOMEM, "%s: cannot read", path);
	fclose(file);
	if (ret < 0)
		return ret;
	value = json_stringn(text, len);
	if (value == NULL)
		return err_set(err, -EILSEQ, "%s: is not UTF-8", path);
	return set_param(params, key, value, err);
}

static int set_number(
	json_t *params, const struct argument *argument, const char *word, struct err *err)
{
	if (word[0] == '\0' || word[strspn(word, "0123456789")] != '\0' ||
		strlen(word) > DIGITS_MAX)
		return err_set(err, -EINVAL, "%s: \"%.40s\" is not a number",
			argument->keyed ? argument->param : argument->name, word);
	return set_param(params, argument->param, json_integer(strtol(word, NULL, 10)), err);
}

static int set_setting(
	json_t *params, const struct argument *argument, const char *word, struct err *err)
{
	size_t len = strcspn(word, "=");
	const char *value = word + len + 1;
	char key[KEY_MAX];

	if (word[len] == '\0' || len == 0 || len >= sizeof(key))
		return err_set(err, -EINVAL, "\"%.64s\" is not KEY=VALUE", word);
	memcpy(key, word, len);
	key[len] = '\0';
	if (argument->type == ARGUMENT_CHANGES && strcmp(value, "none") == 0)
		return set_param(params, key, json_null(), err);
	return set_param(params, key, port_config_value(key, value), err);
}

static int set_argument(
	json_t *params, const struct argument *argument, const char *word, struct err *err)
{
	switch (argument->type) {
	case ARGUMENT_TEXT:
		return set_param(params, argument->param, json_string(word), err);
	case ARGUMENT_NUMBER:
		return set_number(params, argument, word, err);
	case ARGUMENT_FILE:
		return set_file(params, argument->param, word, err);
	case ARGUMENT_SETTINGS:
	case ARGUMENT_CHANGES:
		break;
	}
	return set_setting(params, argument, word, err);
}

static bool is_list(const struct argument *argument)
{
	return argument->type == ARGUMENT_SETTINGS || argument->type == ARGUMENT_CHANGES;
}

/* The `key=VALUE` argument that the word is, with *value what follows '='; NULL: none. */
static const struct argument *find_keyed(const struct argument *first, const struct argument *end,
	const char *word, const char **value)
{
	for (; first < end && first->name != NULL; first++) {
		size_t len = strlen(first->param != NULL ? first->param : "");

		if (first->keyed && strncmp(word, first->param, len) == 0 && word[len] == '=') {
			*value = word + len + 1;
			return first;
		}
	}
	return NULL;
}

static int take_words(const struct argument *next, const struct argument *end, char *const *words,
	size_t n, json_t *params, struct err *err)
{
	const struct argument *first = next;
	bool satisfied = false; /* a list at `next` has an entry */

	for (size_t i = 0; i < n; i++) {
		const char *value = words[i];
		const struct argument *argument = find_keyed(first, end, words[i], &value);
		int ret;

		if (argument == NULL) {
			if (next == end || next->name == NULL || next->keyed)
				return err_set(
					err, -EINVAL, "unexpected argument \"%.64s\"", words[i]);
			argument = next;
			satisfied = is_list(next);
			next += !satisfied;
		}
		ret = set_argument(params, argument, value, err);
		if (ret < 0)
			return ret;
	}
	if (next < end && next->name != NULL && !next->optional && !next->keyed && !satisfied)
		return err_set(err, -EINVAL, "%s is missing", next->name);
	return 0;
}

int arguments_parse(const struct argument *arguments, size_t n_arguments, char *const *words,
	size_t n, json_t **params, struct err *err)
{
	int ret;

	*params = json_object();
	if (*params == NULL)
		return err_errno(err, ENOMEM, "cannot read the arguments");
	ret = take_words(arguments, arguments + n_arguments, words, n, *params, err);
	if (ret < 0) {
		json_decref(*params);
		*params = NULL;
	}
	return ret;
}

char *arguments_usage(const struct argument *arguments, size_t n_arguments, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n_arguments && arguments[i].name != NULL && len < size; i++) {
		const struct argument *a = &arguments[i];
		bool optional = a->optional || a->keyed;

		len += (size_t)snprintf(text + len, size - len, "%s%s%s%s%s%s", i > 0 ? " " : "",
			optional ? "[" : "", a->keyed ? a->param : "", a->keyed ? "=" : "", a->name,
			optional ? "]" : "");
	}
	return text;
}
