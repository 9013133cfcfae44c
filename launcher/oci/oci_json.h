/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Members of a JSON tree that others wrote: there, of the type that is wanted, or one line that
 * names them. A member that is null is one that is not there, as in the Go programs that write
 * config.json. `at` is the path of the object, with a trailing '.' ("process.user.", "" for the
 * tree).
 *
 * Two functions of json-c are not to be called: json_object_get() and json_object_iter_next().
 * jansson, which reads our own formats, has functions of these names, and a program gets one of
 * each (that of the library which is linked first). References are taken by handing over, or by
 * oci_copy().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "lib/err.h"

/* Borrowed; *out is NULL if there is none. -EINVAL: something else is there. */
int oci_get_object(
	json_object *from, const char *at, const char *key, json_object **out, struct err *err);
int oci_get_array(
	json_object *from, const char *at, const char *key, json_object **out, struct err *err);

/* Also -EINVAL: it has a NUL, or a control character where `plain` is wanted. */
int oci_get_string(
	json_object *from, const char *at, const char *key, const char **out, struct err *err);
int oci_get_plain(
	json_object *from, const char *at, const char *key, const char **out, struct err *err);

/* *out stays what it is if there is none. -ERANGE: it is not from `min` to `max`. */
int oci_get_int(json_object *from, const char *at, const char *key, int64_t min, int64_t max,
	int64_t *out, struct err *err);
int oci_get_uint(json_object *from, const char *at, const char *key, uint64_t max, uint64_t *out,
	struct err *err);
int oci_get_bool(json_object *from, const char *at, const char *key, bool *out, struct err *err);

/* The same of an array's items, all of which must be there: `at` is the array's path without a
 * dot ("process.args"). */
int oci_item_object(
	json_object *array, const char *at, size_t i, json_object **out, struct err *err);
int oci_item_string(
	json_object *array, const char *at, size_t i, const char **out, struct err *err);
int oci_item_uint(
	json_object *array, const char *at, size_t i, uint64_t max, uint64_t *out, struct err *err);

/* How many; 0 of NULL. */
size_t oci_n_items(json_object *array);

/* Whether the array, which may be NULL, has the string. */
bool oci_has_word(json_object *array, const char *word);

/* Both take `value` over, also if they fail. -ENOMEM, too if `value` is NULL. */
int oci_put(json_object *object, const char *key, json_object *value, struct err *err);
int oci_append(json_object *array, json_object *value, struct err *err);

/* The member, made as an empty object or array if it is not there: borrowed. NULL: no memory, or
 * something else is there. */
json_object *oci_make_object(json_object *object, const char *key);
json_object *oci_make_array(json_object *object, const char *key);

/* A new one like it, for somewhere else; NULL: no memory. */
json_object *oci_copy(json_object *value);

/* A new array of the words, ended by NULL; NULL: no memory. */
json_object *oci_words(const char *const *words);
