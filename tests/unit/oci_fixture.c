/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/oci_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "launcher/oci/oci_json.h"

struct oci_facts *oci_fixture(struct runtime_settings **settings)
{
	static struct runtime_settings made;
	static struct oci_facts facts;

	made = (struct runtime_settings) {
		.runtime = "/usr/bin/runc",
		.programs = "/usr/bin",
		.annotations = "vmm,root,volumes",
		.overhead_mib = 96,
		.overhead_per_gib_mib = 12,
	};
	facts = (struct oci_facts) {
		.settings = &made,
		.bundle = "/bundle",
		.machine_root = "/bundle/sluice",
		.has_tun = true,
		.has_cache = true,
		.has_alternatives = true,
		.nofile_hard = 20000,
		.shm_is_memory = true,
		.shm_bytes = 64000 << 10,
	};
	if (settings != NULL)
		*settings = &made;
	return &facts;
}

json_object *oci_text(const char *text)
{
	char *copy = strdup(text);
	json_object *value;

	assert_non_null(copy);
	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	value = json_tokener_parse(copy);
	if (value == NULL)
		fail_msg("%s: is no JSON", copy);
	free(copy);
	return value;
}

static void merge(json_object *to, json_object *changes)
{
	struct lh_entry *entry;

	lh_foreach (json_object_get_object(changes), entry) {
		json_object *value = (json_object *)lh_entry_v(entry), *old = NULL;
		const char *key = lh_entry_k(entry);

		json_object_object_get_ex(to, key, &old);
		if (json_object_is_type(value, json_type_object) &&
			json_object_is_type(old, json_type_object))
			merge(old, value);
		else
			assert_int_equal(json_object_object_add(
						 to, key, value != NULL ? oci_copy(value) : NULL),
				0);
	}
}

json_object *oci_container(const char *changes)
{
	json_object *config = oci_text(
		"{'ociVersion': '1.0.2', 'process': {'args': ['/bin/true'], 'cwd': '/',"
		" 'user': {'uid': 0, 'gid': 0}},"
		" 'root': {'path': '/user/rootfs'},"
		" 'annotations': {'sluice.dev/vm': 'true'},"
		" 'linux': {'namespaces': [{'type': 'pid'}, {'type': 'network', 'path': '/ns'},"
		" {'type': 'mount'}]}}");
	json_object *more = oci_text(changes);

	merge(config, more);
	json_object_put(more);
	return config;
}

static int run(json_object *config, const struct oci_facts *facts, json_object **container,
	struct err *err)
{
	int ret = oci_decide(config, facts, err);

	*container = NULL;
	if (ret < 0)
		return ret;
	assert_int_equal(ret, OCI_CONVERT);
	return oci_convert(config, facts, container, err);
}

json_object *oci_converted(const char *changes, const struct oci_facts *facts, json_object **config)
{
	json_object *tree = oci_container(changes), *container;
	struct err err = { "" };

	if (run(tree, facts, &container, &err) < 0)
		fail_msg("%s: %s", changes, err.text);
	if (config != NULL)
		*config = tree;
	else
		json_object_put(tree);
	return container;
}

void oci_refused(const char *changes, const struct oci_facts *facts, int code, const char *words)
{
	json_object *tree = oci_container(changes), *container;
	struct err err = { "" };
	int ret = run(tree, facts, &container, &err);

	if (ret >= 0)
		fail_msg("%s: was not refused", changes);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, err.text);
	if (ret != code)
		fail_msg("%s: %d, not %d", err.text, ret, code);
	assert_null(strchr(err.text, '\n'));
	json_object_put(tree);
}

json_object *oci_at(json_object *tree, const char *path)
{
	char copy[128], *rest = copy, *key;

	assert_true(strlen(path) < sizeof(copy));
	strcpy(copy, path);
	while (tree != NULL && (key = strsep(&rest, "/")) != NULL) {
		json_object *next = NULL;

		if (json_object_is_type(tree, json_type_array))
			next = json_object_array_get_idx(tree, strtoul(key, NULL, 10));
		else
			json_object_object_get_ex(tree, key, &next);
		tree = next;
	}
	return tree;
}

const char *oci_text_at(json_object *tree, const char *path)
{
	json_object *value = oci_at(tree, path);

	return value != NULL ? json_object_get_string(value) : "";
}

json_object *oci_mount_at(json_object *config, const char *destination)
{
	json_object *mounts = oci_at(config, "mounts");

	for (size_t i = 0; i < oci_n_items(mounts); i++) {
		json_object *mount = json_object_array_get_idx(mounts, i);

		if (strcmp(oci_text_at(mount, "destination"), destination) == 0)
			return mount;
	}
	return NULL;
}

void oci_expect(json_object *tree, const char *path, const char *text)
{
	if (strcmp(oci_text_at(tree, path), text) != 0)
		fail_msg("%s is %s, not %s", path, oci_text_at(tree, path), text);
}
