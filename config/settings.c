/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/settings.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/setting_allowed.h"

#define LIST_MAX 256
#define KEY_MAX  40 /* longer keys are not worth a guess at what was meant */

const struct setting *settings_find(const struct settings *table, const char *name)
{
	for (size_t i = 0; i < table->n_rows; i++) {
		if (strcmp(table->rows[i].name, name) == 0)
			return &table->rows[i];
	}
	return NULL;
}

static bool in_group(const struct setting *row, unsigned group)
{
	return row->groups == 0 || group == 0 || (row->groups & group) != 0;
}

/* Edit distance (insert, delete, replace), rows of the classic matrix one at a time. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[KEY_MAX + 1];
	size_t n = strlen(b);

	if (strlen(a) > KEY_MAX || n > KEY_MAX)
		return KEY_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
			unsigned least = row[j] < row[j - 1] ? row[j] : row[j - 1];

			diagonal = row[j];
			row[j] = replaced < least + 1 ? replaced : least + 1;
		}
	}
	return row[n];
}

static const struct setting *nearest(const struct settings *table, const char *name, unsigned group)
{
	const struct setting *best = NULL;
	unsigned best_distance = 3; /* two slips of the finger */

	for (size_t i = 0; i < table->n_rows; i++) {
		unsigned d = distance(name, table->rows[i].name);

		if (in_group(&table->rows[i], group) && d < best_distance && d < strlen(name)) {
			best = &table->rows[i];
			best_distance = d;
		}
	}
	return best;
}

/* "name, kind, interface" */
static void list_names(const struct settings *table, unsigned group, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < table->n_rows && len < size; i++) {
		if (in_group(&table->rows[i], group))
			len += (size_t)snprintf(text + len, size - len, "%s%s", len > 0 ? ", " : "",
				table->rows[i].name);
	}
}

static int unknown_key(const struct settings *table, const char *at, const char *key,
	unsigned group, struct err *err)
{
	const struct setting *meant = nearest(table, key, group);
	char names[LIST_MAX];

	if (meant != NULL)
		return err_set(err, -EINVAL, "%s%.64s: unknown key (did you mean \"%s\"?)", at, key,
			meant->name);
	list_names(table, group, names, sizeof(names));
	return err_set(err, -EINVAL, "%s%.64s: unknown key (allowed: %s)", at, key, names);
}

static int foreign_key(const struct settings *table, const char *at, const char *key,
	unsigned group, const char *group_name, struct err *err)
{
	char names[LIST_MAX];

	list_names(table, group, names, sizeof(names));
	return err_set(err, -EINVAL, "%s%s: not for %s (allowed: %s)", at, key, group_name, names);
}

static int check_required(const struct settings *table, const char *at, unsigned group,
	uint64_t given, struct err *err)
{
	for (size_t i = 0; i < table->n_rows; i++) {
		const struct setting *row = &table->rows[i];
		char allowed[LIST_MAX];

		if (row->required && in_group(row, group) && (given & (UINT64_C(1) << i)) == 0)
			return err_set(err, -EINVAL, "%s%s: missing (must be %s)", at, row->name,
				setting_allowed(row, allowed, sizeof(allowed)));
	}
	return 0;
}

static int set_member(const struct settings *table, const char *key, const json_t *value,
	bool change, void *target, struct err *err)
{
	const struct setting *row = settings_find(table, key);

	if (!change || !json_is_null(value) || row->required)
		return setting_set_json(row, value, target, err);
	if (!setting_is_composite(row))
		setting_reset(row, target);
	return 0;
}

static int take_members(const struct settings *table, const json_t *object, const char *at,
	unsigned group, const char *group_name, bool change, void *target, uint64_t *given,
	struct err *err)
{
	const char *key;
	json_t *value;

	assert(table->n_rows <= 64);
	*given = 0;
	json_object_foreach ((json_t *)object, key, value) {
		const struct setting *row = settings_find(table, key);
		int ret;

		if (row == NULL)
			return unknown_key(table, at, key, group, err);
		if (!in_group(row, group))
			return foreign_key(table, at, key, group, group_name, err);
		ret = set_member(table, key, value, change, target, err);
		if (ret < 0)
			return err_wrap(err, ret, "%s%s", at, key);
		*given |= UINT64_C(1) << (row - table->rows);
	}
	return 0;
}

int settings_from_json(const struct settings *table, const json_t *object, const char *at,
	unsigned group, const char *group_name, void *target, uint64_t *given, struct err *err)
{
	uint64_t seen;
	int ret = take_members(table, object, at, group, group_name, false, target, &seen, err);

	if (given != NULL)
		*given = seen;
	return ret < 0 ? ret : check_required(table, at, group, seen, err);
}

int settings_change_json(const struct settings *table, const json_t *object, const char *at,
	unsigned group, const char *group_name, void *target, uint64_t *given, struct err *err)
{
	uint64_t seen;
	int ret = take_members(table, object, at, group, group_name, true, target, &seen, err);

	if (given != NULL)
		*given = seen;
	return ret;
}

json_t *settings_to_json(const struct settings *table, unsigned group, const void *target)
{
	json_t *object = json_object();

	for (size_t i = 0; i < table->n_rows; i++) {
		const struct setting *row = &table->rows[i];

		if (setting_is_composite(row) || !in_group(row, group) ||
			(row->preset == NULL && !row->required && setting_is_zero(row, target)))
			continue;
		if (json_object_set_new(object, row->name, setting_get_json(row, target)) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

void settings_apply_defaults(const struct settings *table, unsigned group, void *target)
{
	for (size_t i = 0; i < table->n_rows; i++) {
		if (table->rows[i].preset != NULL && in_group(&table->rows[i], group))
			setting_reset(&table->rows[i], target);
	}
}

void settings_env_name(const struct settings *table, const struct setting *row, char *text)
{
	snprintf(text, SETTINGS_ENV_NAME_MAX, "%s%s", table->env_prefix, row->name);
	for (; *text != '\0'; text++)
		*text = *text == '-' ? '_' : (char)toupper((unsigned char)*text);
}

int settings_from_env(const struct settings *table, void *target, struct err *err)
{
	if (table->env_prefix == NULL)
		return 0;
	for (size_t i = 0; i < table->n_rows; i++) {
		const struct setting *row = &table->rows[i];
		char name[SETTINGS_ENV_NAME_MAX];
		const char *text;
		int ret;

		settings_env_name(table, row, name);
		text = setting_is_composite(row) ? NULL : getenv(name);
		if (text == NULL || text[0] == '\0')
			continue;
		ret = setting_set_text(row, text, target, err);
		if (ret < 0)
			return err_wrap(err, ret, "%s", name);
	}
	return 0;
}

/* Splits off the name of `--name` or `--name=VALUE`; *value is what follows '=', or NULL. */
static const struct setting *find_option(
	const struct settings *table, const char *word, const char **value)
{
	char name[KEY_MAX + 1];
	const char *equals = strchr(word, '=');
	size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
	const struct setting *row;

	*value = equals != NULL ? equals + 1 : NULL;
	if (strncmp(word, "--", 2) != 0 || len - 2 > KEY_MAX)
		return NULL;
	memcpy(name, word + 2, len - 2);
	name[len - 2] = '\0';
	row = settings_find(table, name);
	return row != NULL && !setting_is_composite(row) ? row : NULL;
}

int settings_from_args(
	const struct settings *table, char *const *words, void *target, struct err *err)
{
	for (; words != NULL && *words != NULL; words++) {
		const char *value;
		const struct setting *row = find_option(table, *words, &value);
		int ret;

		if (row == NULL)
			return err_set(err, -EINVAL, "%.64s: unknown option (see --help)", *words);
		if (value == NULL && row->type == SETTING_BOOL)
			value = "true";
		if (value == NULL)
			value = *++words;
		if (value == NULL)
			return err_set(err, -EINVAL, "--%s: needs a value", row->name);
		ret = setting_set_text(row, value, target, err);
		if (ret < 0)
			return err_wrap(err, ret, "--%s", row->name);
	}
	return 0;
}

int settings_set(const struct settings *table, const char *name, const char *text, void *target,
	struct err *err)
{
	const struct setting *row = settings_find(table, name);
	int ret;

	if (row == NULL)
		return unknown_key(table, "", name, 0, err);
	ret = setting_set_text(row, text, target, err);
	return ret < 0 ? err_wrap(err, ret, "%s", name) : 0;
}

bool settings_takes_next(const struct settings *table, const char *word)
{
	const struct setting *row =
		strncmp(word, "--", 2) == 0 ? settings_find(table, word + 2) : NULL;

	return row != NULL && row->type != SETTING_BOOL;
}

void settings_print_help(const struct settings *table, const char *lead, FILE *out)
{
	for (size_t i = 0; i < table->n_rows; i++) {
		const struct setting *row = &table->rows[i];
		char allowed[LIST_MAX];
		char variable[SETTINGS_ENV_NAME_MAX];

		fprintf(out, "  %s%s%s%s\n", setting_is_composite(row) ? "" : lead, row->name,
			row->unit != NULL ? " " : "", row->unit != NULL ? row->unit : "");
		fprintf(out, "        %s\n", row->help);
		fprintf(out, "        %s; ", setting_allowed(row, allowed, sizeof(allowed)));
		if (row->required)
			fprintf(out, "required");
		else if (setting_is_composite(row))
			fprintf(out, "only in the file");
		else
			fprintf(out, "default %s", row->preset != NULL ? row->preset : "none");
		if (table->env_prefix != NULL && !setting_is_composite(row)) {
			settings_env_name(table, row, variable);
			fprintf(out, "; %s", variable);
		}
		fprintf(out, "%s\n", setting_annotated(row, allowed, sizeof(allowed)));
	}
}
