/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/process_spec.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "config/json_items.h"
#include "config/process_words.h"
#include "config/settings.h"

/* --- rlimits --------------------------------------------------------------------------------- */

/* soft and hard have 64 bits and a sign, which no setting has. */
static const struct setting rlimit_rows[] = {
	{ "type", SETTING_ENUM, SETTING_FIELD(struct process_rlimit, resource),
		.words = process_rlimit_words, .required = true, .help = "what is limited" },
};

static const struct settings rlimit_table = SETTINGS(rlimit_rows, NULL);

static int take_limit(
	json_t *object, const char *at, const char *key, uint64_t *limit, struct err *err)
{
	const json_t *value = json_object_get(object, key);
	json_int_t n = json_integer_value(value);

	if (value == NULL)
		return err_set(err, -EINVAL, "%s%s: missing (must be a number, or -1)", at, key);
	if (!json_is_integer(value))
		return err_set(err, -EINVAL, "%s%s: must be a number, or -1 for no limit", at, key);
	if (n < -1)
		return err_set(err, -ERANGE, "%s%s: %lld is out of range (0 and more, or -1)", at,
			key, (long long)n);
	*limit = n == -1 ? RLIM64_INFINITY : (uint64_t)n;
	json_object_del(object, key);
	return 0;
}

static int decode_rlimit(const json_t *object, const char *at, void *item, struct err *err)
{
	struct process_rlimit *limit = item;
	json_t *rest = json_copy((json_t *)object);
	int ret = 0;

	if (rest == NULL)
		return err_errno(err, ENOMEM, "%stype", at);
	ret = take_limit(rest, at, "soft", &limit->soft, err);
	if (ret == 0)
		ret = take_limit(rest, at, "hard", &limit->hard, err);
	if (ret == 0)
		ret = settings_from_json(&rlimit_table, rest, at, 0, "", limit, NULL, err);
	json_decref(rest);
	if (ret == 0 && limit->soft > limit->hard)
		ret = err_set(err, -EINVAL, "%ssoft: is above hard", at);
	return ret;
}

/* What is past a signed number is as good as no limit. */
static json_t *encode_limit(uint64_t limit)
{
	return json_integer(limit > INT64_MAX ? -1 : (json_int_t)limit);
}

static json_t *encode_rlimit(const void *item)
{
	const struct process_rlimit *limit = item;
	json_t *object = settings_to_json(&rlimit_table, 0, limit);

	if (json_object_set_new(object, "soft", encode_limit(limit->soft)) == 0 &&
		json_object_set_new(object, "hard", encode_limit(limit->hard)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static const struct json_items rlimits = { "rlimits", PROCESS_RLIMITS_MAX,
	sizeof(struct process_rlimit), decode_rlimit, encode_rlimit };

static int take_rlimits(
	const json_t *object, const char *at, struct process_spec *spec, struct err *err)
{
	void *items = NULL;
	int ret = json_items_decode(&rlimits, object, at, &items, &spec->n_rlimits, err);

	if (ret == 0 && items != NULL)
		memcpy(spec->rlimits, items, spec->n_rlimits * sizeof(*spec->rlimits));
	free(items);
	for (size_t i = 0; i < spec->n_rlimits && ret == 0; i++)
		for (size_t j = 0; j < i && ret == 0; j++)
			if (spec->rlimits[i].resource == spec->rlimits[j].resource)
				ret = err_set(
					err, -EINVAL, "%srlimits[%zu].type: is there twice", at, i);
	return ret;
}

/* --- groups and capabilities ----------------------------------------------------------------- */

static int take_gids(
	const json_t *object, const char *at, struct process_spec *spec, struct err *err)
{
	const json_t *array = json_object_get(object, "additionalGids");
	size_t n = json_array_size(array), i;
	const json_t *gid;

	if (n > PROCESS_GIDS_MAX)
		return err_set(err, -EINVAL, "%sadditionalGids: has %zu entries (at most %d)", at,
			n, PROCESS_GIDS_MAX);
	spec->gids = n > 0 ? calloc(n, sizeof(*spec->gids)) : NULL;
	if (n > 0 && spec->gids == NULL)
		return err_errno(err, ENOMEM, "%sadditionalGids", at);
	json_array_foreach (array, i, gid) {
		if (!json_is_integer(gid) || json_integer_value(gid) < 0 ||
			json_integer_value(gid) >= UINT32_MAX)
			return err_set(err, -EINVAL,
				"%sadditionalGids[%zu]: must be a number from 0 to 4294967294", at,
				i);
		spec->gids[spec->n_gids++] = (gid_t)json_integer_value(gid);
	}
	return 0;
}

static const struct setting_word *find_capability(const json_t *name)
{
	const struct setting_word *w = process_capability_words;

	while (w->name != NULL &&
		(!json_is_string(name) || strcmp(w->name, json_string_value(name)) != 0))
		w++;
	return w->name != NULL ? w : NULL;
}

static int take_capabilities(
	const json_t *object, const char *at, const char *key, uint64_t *set, struct err *err)
{
	const json_t *array = json_object_get(object, key);
	const json_t *name;
	size_t i;

	json_array_foreach (array, i, name) {
		const struct setting_word *w = find_capability(name);

		if (w == NULL)
			return err_set(err, -EINVAL,
				"%s%s[%zu]: \"%.50s\" is not allowed (must be a capability such "
				"as \"CAP_NET_RAW\")",
				at, key, i, json_is_string(name) ? json_string_value(name) : "...");
		*set |= UINT64_C(1) << w->value;
	}
	return 0;
}

static json_t *encode_gids(const struct process_spec *spec)
{
	json_t *array = json_array();

	for (size_t i = 0; i < spec->n_gids; i++)
		if (json_array_append_new(array, json_integer(spec->gids[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *encode_capabilities(uint64_t set)
{
	json_t *array = json_array();

	for (const struct setting_word *w = process_capability_words; w->name != NULL; w++)
		if ((set >> w->value & 1) != 0 &&
			json_array_append_new(array, json_string(w->name)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

/* --- all of it ------------------------------------------------------------------------------- */

#define FIELD(member) SETTING_FIELD(struct process_spec, member)

static const struct setting rows[] = {
	{ "cwd", SETTING_PATH, FIELD(cwd), .heap = true, .max = PATH_MAX - 1,
		.help = "the directory it starts in" },
	{ "user", SETTING_TEXT, FIELD(user), .heap = true, .max = PROCESS_USER_MAX,
		.help = "who it is, as USER or USER:GROUP" },
	{ "additionalGids", SETTING_ARRAY, .help = "groups besides" },
	{ "groups", SETTING_TEXT, FIELD(groups), .heap = true, .max = PROCESS_GROUPS_MAX,
		.help = "groups besides, by number or name" },
	{ "umask", SETTING_U32, FIELD(umask), .max = 0777,
		.help = "permissions that new files do not have" },
	{ "rlimits", SETTING_ARRAY, .help = "limits" },
	{ "capabilities", SETTING_ARRAY, .help = "those it has" },
	{ "ambientCapabilities", SETTING_ARRAY, .help = "those it has if it is not root" },
	{ "noNewPrivileges", SETTING_BOOL, FIELD(no_new_privileges),
		.help = "execve(2) gives it none" },
	{ "init", SETTING_BOOL, FIELD(init), .help = "a workload is the child of an init" },
	{ "terminal", SETTING_BOOL, FIELD(terminal), .help = "it has one" },
	{ "rows", SETTING_U32, FIELD(rows), .max = UINT16_MAX, .help = "of the terminal" },
	{ "columns", SETTING_U32, FIELD(columns), .max = UINT16_MAX, .help = "of the terminal" },
};

#undef FIELD

static const struct settings table = SETTINGS(rows, NULL);

static int check_names(const char *names, const char *at, const char *key, struct err *err)
{
	for (const char *c = names; c != NULL && *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			return err_set(err, -EINVAL, "%s%s: \"%.50s\" has a control character", at,
				key, names);
	return 0;
}

static void note_given(const json_t *object, struct process_spec *spec)
{
	spec->has_umask = json_object_get(object, "umask") != NULL;
	spec->has_rlimits = json_object_get(object, "rlimits") != NULL;
	spec->has_capabilities = json_object_get(object, "capabilities") != NULL;
	spec->has_no_new_privileges = json_object_get(object, "noNewPrivileges") != NULL;
}

static int refuse_as_a_whole(const char *at, struct err *err)
{
	size_t len = strlen(at);

	err_set(err, -EINVAL, "must be an object ({ ... })");
	return len == 0 ? -EINVAL : err_wrap(err, -EINVAL, "%.*s", (int)len - 1, at);
}

static int decode(const json_t *object, const char *at, struct process_spec *spec, struct err *err)
{
	int ret;

	if (!json_is_object(object))
		return refuse_as_a_whole(at, err);
	ret = settings_from_json(&table, object, at, 0, "", spec, NULL, err);
	if (ret == 0)
		ret = check_names(spec->user, at, "user", err);
	if (ret == 0)
		ret = check_names(spec->groups, at, "groups", err);
	if (ret == 0)
		ret = take_gids(object, at, spec, err);
	if (ret == 0)
		ret = take_rlimits(object, at, spec, err);
	if (ret == 0)
		ret = take_capabilities(object, at, "capabilities", &spec->capabilities, err);
	if (ret == 0)
		ret = take_capabilities(object, at, "ambientCapabilities", &spec->ambient, err);
	note_given(object, spec);
	return ret;
}

int process_spec_decode(
	const json_t *object, const char *at, struct process_spec *spec, struct err *err)
{
	int ret;

	*spec = (struct process_spec) { .cwd = NULL };
	ret = decode(object, at, spec, err);
	if (ret < 0)
		process_spec_free(spec);
	return ret;
}

/* Zero and false are left out of what a table writes, but may have been said. */
static bool put_given(json_t *object, const struct process_spec *spec)
{
	bool ok = true;

	if (spec->has_umask)
		ok = json_object_set_new(object, "umask", json_integer(spec->umask)) == 0;
	if (ok && spec->has_no_new_privileges)
		ok = json_object_set_new(
			     object, "noNewPrivileges", json_boolean(spec->no_new_privileges)) == 0;
	if (ok && spec->n_gids > 0)
		ok = json_object_set_new(object, "additionalGids", encode_gids(spec)) == 0;
	if (ok && spec->has_rlimits)
		ok = json_items_put(object, &rlimits, spec->rlimits, spec->n_rlimits);
	if (ok && spec->has_capabilities)
		ok = json_object_set_new(
			     object, "capabilities", encode_capabilities(spec->capabilities)) == 0;
	if (ok && spec->ambient != 0)
		ok = json_object_set_new(object, "ambientCapabilities",
			     encode_capabilities(spec->ambient)) == 0;
	return ok;
}

json_t *process_spec_encode(const struct process_spec *spec)
{
	json_t *object = settings_to_json(&table, 0, spec);

	if (object != NULL && put_given(object, spec))
		return object;
	json_decref(object);
	return NULL;
}

/* NULL stays NULL; false: no memory. */
static bool copy(char **to, const char *text)
{
	*to = text != NULL ? strdup(text) : NULL;
	return text == NULL || *to != NULL;
}

static bool copy_gids(const struct process_spec *from, struct process_spec *to)
{
	if (from->gids == NULL)
		return true;
	to->gids = malloc(from->n_gids * sizeof(*to->gids));
	if (to->gids != NULL)
		memcpy(to->gids, from->gids, from->n_gids * sizeof(*to->gids));
	return to->gids != NULL;
}

int process_spec_copy(const struct process_spec *from, struct process_spec *to)
{
	bool ok;

	*to = *from;
	to->gids = NULL;
	ok = copy(&to->cwd, from->cwd);
	ok &= copy(&to->user, from->user);
	ok &= copy(&to->groups, from->groups);
	ok &= copy_gids(from, to);
	if (ok)
		return 0;
	process_spec_free(to);
	return -ENOMEM;
}

void process_spec_free(struct process_spec *spec)
{
	free(spec->cwd);
	free(spec->user);
	free(spec->groups);
	free(spec->gids);
	*spec = (struct process_spec) { .cwd = NULL };
}
