/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/json_items.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int json_items_decode(const struct json_items *kind, const json_t *object, const char *at,
	void **items, size_t *n, struct err *err)
{
	const json_t *array = json_object_get(object, kind->key);
	const json_t *entry;
	size_t i;

	if (array == NULL)
		return 0;
	if (json_array_size(array) > kind->n_max)
		return err_set(err, -EINVAL, "%s%s: has %zu entries (at most %zu)", at, kind->key,
			json_array_size(array), kind->n_max);
	*items = calloc(json_array_size(array) + 1, kind->size);
	if (*items == NULL)
		return err_errno(err, ENOMEM, "%s%s", at, kind->key);
	json_array_foreach (array, i, entry) {
		char entry_at[JSON_AT_MAX];
		int ret;

		if (!json_is_object(entry))
			return err_set(err, -EINVAL, "%s%s[%zu]: must be an object ({ ... })", at,
				kind->key, i);
		snprintf(entry_at, sizeof(entry_at), "%s%s[%zu].", at, kind->key, i);
		++*n;
		ret = kind->decode(entry, entry_at, (char *)*items + i * kind->size, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

json_t *json_items_encode(const struct json_items *kind, const void *items, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *entry = kind->encode((const char *)items + i * kind->size);

		if (json_array_append_new(array, entry) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

bool json_items_put(json_t *object, const struct json_items *kind, const void *items, size_t n)
{
	return json_object_set_new(object, kind->key, json_items_encode(kind, items, n)) == 0;
}
