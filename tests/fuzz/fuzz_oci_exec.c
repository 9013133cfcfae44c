/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * process.json: whatever the bytes, one line, or a client that runs the very command with nothing
 * of its own to be had.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/oci/oci_exec.h"
#include "launcher/oci/oci_file.h"

#define CLIENT "/usr/bin/sluice-exec"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *word(json_object *args, size_t i)
{
	json_object *item = json_object_array_get_idx(args, i);

	assert(json_object_is_type(item, json_type_string));
	return json_object_get_string(item);
}

/* The words behind the first "--" are those that there were. */
static void check_args(json_object *before, json_object *after)
{
	json_object *old = json_object_object_get(before, "args");
	json_object *args = json_object_object_get(after, "args");
	size_t i = 1, n = json_object_array_length(args);

	assert(strcmp(word(args, 0), CLIENT) == 0);
	while (i < n && strcmp(word(args, i), "--") != 0)
		i++;
	assert(n - i - 1 == json_object_array_length(old) && n > i + 1);
	for (size_t j = 0; j < json_object_array_length(old); j++)
		assert(strcmp(word(args, i + 1 + j), word(old, j)) == 0);
}

static void check_rights(json_object *after)
{
	json_object *user = json_object_object_get(after, "user");
	json_object *sets = json_object_object_get(after, "capabilities");
	struct lh_entry *entry;

	assert(json_object_object_length(user) == 2);
	assert(json_object_get_int(json_object_object_get(user, "uid")) == 0);
	assert(json_object_object_length(sets) == 5);
	lh_foreach (json_object_get_object(sets), entry)
		assert(json_object_array_length((json_object *)lh_entry_v(entry)) == 0);
	assert(json_object_get_boolean(json_object_object_get(after, "noNewPrivileges")));
	assert(!json_object_object_get_ex(after, "rlimits", NULL));
	assert(strcmp(json_object_get_string(json_object_object_get(after, "cwd")), "/") == 0);
}

/* What is written is read as the same. */
static void check_text(json_object *value)
{
	const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
	struct err err = { "" };
	json_object *again;

	assert(oci_json_parse(text, strlen(text), &again, &err) == 0);
	json_object_put(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct runtime_settings settings = { .exec_in_container = size % 2 == 0 };
	char *text = malloc(size + 1);
	json_object *before, *after;
	struct err err = { "" };
	int ret;

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (oci_json_parse(text, size, &before, &err) < 0) {
		assert(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
		free(text);
		return 0;
	}
	if (oci_json_parse(text, size, &after, &err) < 0)
		abort();
	ret = oci_exec_convert(after, CLIENT, &settings, NULL, &err);
	if (ret == 0) {
		check_args(before, after);
		check_rights(after);
		check_text(after);
	} else if (ret == 1) {
		assert(settings.exec_in_container && json_object_equal(before, after));
	} else {
		assert(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
	}
	json_object_put(before);
	json_object_put(after);
	free(text);
	return 0;
}
