/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_limits.h"

#include <errno.h>
#include <string.h>

#include "config/process_spec.h"
#include "config/process_words.h"
#include "launcher/oci/oci_json.h"

static const struct setting_word *find_word(const struct setting_word *words, const char *name)
{
	for (; words->name != NULL; words++)
		if (strcmp(words->name, name) == 0)
			return words;
	return NULL;
}

/* --- limits ---------------------------------------------------------------------------------- */

struct limit {
	const struct setting_word *type;
	uint64_t soft, hard;
};

static int read_limit(json_object *item, struct limit *limit, struct err *err)
{
	static const char at[] = "process.rlimits[].";
	const char *type;
	int ret = oci_get_plain(item, at, "type", &type, err);

	*limit = (struct limit) { .soft = 0 };
	if (ret == 0)
		ret = oci_get_uint(item, at, "soft", UINT64_MAX, &limit->soft, err);
	if (ret == 0)
		ret = oci_get_uint(item, at, "hard", UINT64_MAX, &limit->hard, err);
	if (ret < 0)
		return ret;
	limit->type = type != NULL ? find_word(process_rlimit_words, type) : NULL;
	if (limit->type == NULL)
		return err_set(err, -EINVAL,
			"process.rlimits[].type: \"%.50s\" is not allowed (must be a limit such as "
			"\"RLIMIT_NOFILE\")",
			type != NULL ? type : "");
	if (limit->soft > limit->hard)
		return err_set(
			err, -EINVAL, "process.rlimits: %s: soft is above hard", limit->type->name);
	return 0;
}

/* What is past a signed number is as good as no limit, -1. */
static json_object *limit_number(uint64_t limit)
{
	return json_object_new_int64(limit > INT64_MAX ? -1 : (int64_t)limit);
}

static int put_limit(json_object *array, const struct limit *limit, struct err *err)
{
	json_object *object = json_object_new_object();
	int ret = oci_append(array, object, err);

	if (ret == 0)
		ret = oci_put(object, "type", json_object_new_string(limit->type->name), err);
	if (ret == 0)
		ret = oci_put(object, "soft", limit_number(limit->soft), err);
	return ret < 0 ? ret : oci_put(object, "hard", limit_number(limit->hard), err);
}

int oci_limits_take(json_object *process, json_object *to, struct err *err)
{
	json_object *limits, *copy = json_object_new_array();
	int ret = oci_put(to, "rlimits", copy, err);
	uint64_t seen = 0;

	if (ret == 0)
		ret = oci_get_array(process, "process.", "rlimits", &limits, err);
	for (size_t i = 0; ret == 0 && i < oci_n_items(limits); i++) {
		struct limit limit;
		json_object *item;

		ret = oci_item_object(limits, "process.rlimits", i, &item, err);
		if (ret == 0)
			ret = read_limit(item, &limit, err);
		if (ret == 0 && (seen >> limit.type->value & 1) != 0)
			ret = err_set(err, -EINVAL, "process.rlimits: %s is there twice",
				limit.type->name);
		if (ret == 0) {
			seen |= UINT64_C(1) << limit.type->value;
			ret = put_limit(copy, &limit, err);
		}
	}
	return ret;
}

int oci_limits_put(json_object *process, uint64_t nofile, struct err *err)
{
	json_object *limits = json_object_new_array(), *limit;
	int ret = oci_put(process, "rlimits", limits, err);

	if (ret < 0 || nofile == 0)
		return ret;
	limit = json_object_new_object();
	ret = oci_append(limits, limit, err);
	if (ret == 0)
		ret = oci_put(limit, "type", json_object_new_string("RLIMIT_NOFILE"), err);
	if (ret == 0)
		ret = oci_put(limit, "hard", json_object_new_uint64(nofile), err);
	return ret < 0 ? ret : oci_put(limit, "soft", json_object_new_uint64(nofile), err);
}

/* --- capabilities ---------------------------------------------------------------------------- */

/* Those of a set as bits. */
static int read_set(json_object *sets, const char *name, uint64_t *bits, struct err *err)
{
	json_object *array;
	int ret = oci_get_array(sets, "process.capabilities.", name, &array, err);

	*bits = 0;
	for (size_t i = 0; ret == 0 && i < oci_n_items(array); i++) {
		const struct setting_word *word;
		const char *text = "";

		ret = oci_item_string(array, "process.capabilities[]", i, &text, err);
		word = ret == 0 ? find_word(process_capability_words, text) : NULL;
		if (word != NULL)
			*bits |= UINT64_C(1) << word->value;
		else if (ret == 0)
			ret = err_set(err, -EINVAL,
				"process.capabilities.%s[%zu]: is no capability such as "
				"\"CAP_NET_RAW\"",
				name, i);
	}
	return ret;
}

static int put_set(json_object *to, const char *key, uint64_t bits, struct err *err)
{
	json_object *array = json_object_new_array();
	int ret = oci_put(to, key, array, err);

	for (const struct setting_word *w = process_capability_words; w->name != NULL; w++)
		if (ret == 0 && (bits >> w->value & 1) != 0)
			ret = oci_append(array, json_object_new_string(w->name), err);
	return ret;
}

int oci_capabilities_take(json_object *process, json_object *to, struct err *err)
{
	uint64_t bounding, ambient;
	json_object *sets;
	int ret = oci_get_object(process, "process.", "capabilities", &sets, err);

	if (ret == 0)
		ret = read_set(sets, "bounding", &bounding, err);
	if (ret == 0)
		ret = read_set(sets, "ambient", &ambient, err);
	if (ret == 0)
		ret = put_set(to, "capabilities", bounding, err);
	if (ret == 0 && (ambient & bounding) != 0)
		ret = put_set(to, "ambientCapabilities", ambient & bounding, err);
	return ret;
}
