/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEY_SHOWN 64 /* bytes of a path in messages: parts of it are foreign */

/* --- what there is --------------------------------------------------------------------------- */

static const char *type_words(json_type type)
{
	switch (type) {
	case json_type_object:
		return "an object ({ ... })";
	case json_type_array:
		return "an array ([ ... ])";
	case json_type_string:
		return "a string";
	case json_type_int:
		return "a whole number";
	default:
		return "true or false";
	}
}

static int check_type(
	json_object *value, json_type type, const char *at, const char *key, struct err *err)
{
	if (json_object_is_type(value, type))
		return 0;
	return err_set(err, -EINVAL, "%.*s%.*s: must be %s", KEY_SHOWN, at, KEY_SHOWN, key,
		type_words(type));
}

static int get(json_object *from, const char *at, const char *key, json_type type,
	json_object **out, struct err *err)
{
	*out = NULL;
	if (!json_object_object_get_ex(from, key, out) || *out == NULL)
		return 0;
	return check_type(*out, type, at, key, err);
}

int oci_get_object(
	json_object *from, const char *at, const char *key, json_object **out, struct err *err)
{
	return get(from, at, key, json_type_object, out, err);
}

int oci_get_array(
	json_object *from, const char *at, const char *key, json_object **out, struct err *err)
{
	return get(from, at, key, json_type_array, out, err);
}

static int take_text(
	json_object *value, const char *at, const char *key, const char **out, struct err *err)
{
	const char *text = json_object_get_string(value);

	if (strlen(text) != (size_t)json_object_get_string_len(value))
		return err_set(err, -EINVAL, "%.*s%.*s: has a NUL", KEY_SHOWN, at, KEY_SHOWN, key);
	*out = text;
	return 0;
}

int oci_get_string(
	json_object *from, const char *at, const char *key, const char **out, struct err *err)
{
	json_object *value;
	int ret = get(from, at, key, json_type_string, &value, err);

	*out = NULL;
	return ret < 0 || value == NULL ? ret : take_text(value, at, key, out, err);
}

int oci_get_plain(
	json_object *from, const char *at, const char *key, const char **out, struct err *err)
{
	int ret = oci_get_string(from, at, key, out, err);

	for (const char *c = ret == 0 ? *out : NULL; c != NULL && *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			return err_set(err, -EINVAL, "%.*s%.*s: has a control character", KEY_SHOWN,
				at, KEY_SHOWN, key);
	return ret;
}

/* --- numbers --------------------------------------------------------------------------------- */

/* json-c keeps what is past a signed number as an unsigned one, and saturates what is past both. */
static bool is_negative(json_object *value)
{
	return json_object_get_int64(value) < 0;
}

int oci_get_int(json_object *from, const char *at, const char *key, int64_t min, int64_t max,
	int64_t *out, struct err *err)
{
	json_object *value;
	int ret = get(from, at, key, json_type_int, &value, err);
	int64_t n;

	if (ret < 0 || value == NULL)
		return ret;
	n = json_object_get_int64(value);
	if (n < min || n > max)
		return err_set(err, -ERANGE,
			"%.*s%.*s: %" PRId64 " is out of range (%" PRId64 " to %" PRId64 ")",
			KEY_SHOWN, at, KEY_SHOWN, key, n, min, max);
	*out = n;
	return 0;
}

static int take_uint(json_object *value, const char *at, const char *key, uint64_t max,
	uint64_t *out, struct err *err)
{
	if (is_negative(value) || json_object_get_uint64(value) > max)
		return err_set(err, -ERANGE, "%.*s%.*s: %.24s is out of range (0 to %" PRIu64 ")",
			KEY_SHOWN, at, KEY_SHOWN, key, json_object_get_string(value), max);
	*out = json_object_get_uint64(value);
	return 0;
}

int oci_get_uint(json_object *from, const char *at, const char *key, uint64_t max, uint64_t *out,
	struct err *err)
{
	json_object *value;
	int ret = get(from, at, key, json_type_int, &value, err);

	return ret < 0 || value == NULL ? ret : take_uint(value, at, key, max, out, err);
}

int oci_get_bool(json_object *from, const char *at, const char *key, bool *out, struct err *err)
{
	json_object *value;
	int ret = get(from, at, key, json_type_boolean, &value, err);

	if (ret == 0 && value != NULL)
		*out = json_object_get_boolean(value);
	return ret;
}

/* --- items ----------------------------------------------------------------------------------- */

static int get_item(json_object *array, const char *at, size_t i, json_type type, char *key,
	json_object **out, struct err *err)
{
	*out = json_object_array_get_idx(array, i);
	snprintf(key, KEY_SHOWN, "[%zu]", i);
	return check_type(*out, type, at, key, err);
}

int oci_item_object(
	json_object *array, const char *at, size_t i, json_object **out, struct err *err)
{
	char key[KEY_SHOWN];

	return get_item(array, at, i, json_type_object, key, out, err);
}

int oci_item_string(json_object *array, const char *at, size_t i, const char **out, struct err *err)
{
	char key[KEY_SHOWN];
	json_object *value;
	int ret = get_item(array, at, i, json_type_string, key, &value, err);

	return ret < 0 ? ret : take_text(value, at, key, out, err);
}

int oci_item_uint(
	json_object *array, const char *at, size_t i, uint64_t max, uint64_t *out, struct err *err)
{
	char key[KEY_SHOWN];
	json_object *value;
	int ret = get_item(array, at, i, json_type_int, key, &value, err);

	return ret < 0 ? ret : take_uint(value, at, key, max, out, err);
}

size_t oci_n_items(json_object *array)
{
	return array != NULL ? json_object_array_length(array) : 0;
}

bool oci_has_word(json_object *array, const char *word)
{
	for (size_t i = 0; i < oci_n_items(array); i++) {
		json_object *item = json_object_array_get_idx(array, i);

		if (json_object_is_type(item, json_type_string) &&
			strcmp(json_object_get_string(item), word) == 0)
			return true;
	}
	return false;
}

/* --- making ---------------------------------------------------------------------------------- */

int oci_put(json_object *object, const char *key, json_object *value, struct err *err)
{
	if (value != NULL && json_object_object_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return err_set(err, -ENOMEM, "out of memory");
}

int oci_append(json_object *array, json_object *value, struct err *err)
{
	if (value != NULL && json_object_array_add(array, value) == 0)
		return 0;
	json_object_put(value);
	return err_set(err, -ENOMEM, "out of memory");
}

static json_object *make(json_object *object, const char *key, json_type type)
{
	json_object *value = NULL;

	if (json_object_object_get_ex(object, key, &value) && value != NULL)
		return json_object_is_type(value, type) ? value : NULL;
	value = type == json_type_array ? json_object_new_array() : json_object_new_object();
	return oci_put(object, key, value, NULL) == 0 ? value : NULL;
}

json_object *oci_make_object(json_object *object, const char *key)
{
	return make(object, key, json_type_object);
}

json_object *oci_make_array(json_object *object, const char *key)
{
	return make(object, key, json_type_array);
}

json_object *oci_copy(json_object *value)
{
	json_object *copy = NULL;

	return json_object_deep_copy(value, &copy, NULL) == 0 ? copy : NULL;
}

json_object *oci_words(const char *const *words)
{
	json_object *array = json_object_new_array();

	for (; array != NULL && *words != NULL; words++)
		if (oci_append(array, json_object_new_string(*words), NULL) < 0) {
			json_object_put(array);
			return NULL;
		}
	return array;
}
