/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A table of settings and the layers that fill a struct from it, weakest first: defaults, a JSON
 * object, the environment, the command line. One table per program (and per kind of object in its
 * file), so that a setting is described once and has the same name everywhere:
 * `spin-us` in the file and in annotations, SLUICE_SPIN_US, `--spin-us`.
 *
 * Everything is strict: a key or option that no row describes is an error. Each layer stops at the
 * first error, which is one line.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "config/setting_value.h"
#include "lib/err.h"

struct settings {
	const struct setting *rows;
	size_t n_rows;          /* at most 64: see `given` below */
	const char *env_prefix; /* "SLUICE_"; NULL: no environment */
};

#define SETTINGS(array, prefix)                                                                    \
	{                                                                                          \
		.rows = (array), .n_rows = sizeof(array) / sizeof((array)[0]),                     \
		.env_prefix = (prefix)                                                             \
	}

/* Stores the defaults of the rows of `group` (0: all); fields of other rows, and of those without a
 * default, are left alone. */
void settings_apply_defaults(const struct settings *table, unsigned group, void *target);

/*
 * Decodes `object`. `at` is its JSON path with a trailing '.' ("ports[1].", "" for the root) and
 * begins every message. Only rows of `group` (one bit; 0: any) may appear; group_name says in
 * messages what kind of object this is. *given (may be NULL) gets bit i set when row i was there.
 */
int settings_from_json(const struct settings *table, const json_t *object, const char *at,
	unsigned group, const char *group_name, void *target, uint64_t *given, struct err *err);

/*
 * As settings_from_json(), for an object that names only what is to be different: none of its keys
 * is required, and null makes a setting what it is by default. On failure *target may be changed
 * in part.
 */
int settings_change_json(const struct settings *table, const json_t *object, const char *at,
	unsigned group, const char *group_name, void *target, uint64_t *given, struct err *err);

/*
 * The other way round: every setting of `group` as an object that settings_from_json() makes the
 * same of. Left out are optional ones without a default that are not set, and SETTING_ARRAYs and
 * SETTING_OBJECTs. A new reference, NULL when memory is short.
 */
json_t *settings_to_json(const struct settings *table, unsigned group, const void *target);

/* Environment variables that are set and not empty: prefix, upper case, '_' for '-'. */
int settings_from_env(const struct settings *table, void *target, struct err *err);

/*
 * The words of a command line, ended by NULL: `--name VALUE` and `--name=VALUE`; a bool is also set
 * by `--name` alone, and takes its value only after '='. Anything else is an error.
 */
int settings_from_args(
	const struct settings *table, char *const *words, void *target, struct err *err);

/* One setting by its name (an annotation, say); the message begins with the name. */
int settings_set(const struct settings *table, const char *name, const char *text, void *target,
	struct err *err);

/* Whether the word is `--name` of a setting whose value is the next word. */
bool settings_takes_next(const struct settings *table, const char *word);

/* NULL if there is none of that name. */
const struct setting *settings_find(const struct settings *table, const char *name);

/* "SLUICE_FDB_SIZE", of a table that has a prefix, into text[SETTINGS_ENV_NAME_MAX]. */
#define SETTINGS_ENV_NAME_MAX 64
void settings_env_name(const struct settings *table, const struct setting *row, char *text);

/* Prints every row with its help, range, default and variable; `lead` ("--" or "") precedes the
 * names. */
void settings_print_help(const struct settings *table, const char *lead, FILE *out);
