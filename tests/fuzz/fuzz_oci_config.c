/* SPDX-License-Identifier: BSD-3-Clause */

/* The converter of config.json: whatever the bytes, a refusal in one line; or a container that runs
 * our program alone, in a root with paths of ours alone, and a container.json that sluice-vm
 * reads. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/oci/oci_config.h"
#include "launcher/oci/oci_json.h"
#include "tests/fakes/container_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct runtime_settings settings = {
	.runtime = "/usr/bin/runc",
	.machine_binds = "/srv/kernels",
	.programs = "/usr/bin",
	.annotations = "kernel,vmm,volumes",
	.overhead_mib = 96,
};

static const struct oci_facts facts = {
	.settings = &settings,
	.bundle = "/bundle",
	.machine_root = "/bundle/sluice",
	.container_name = "pod-web",
	.has_kvm = true,
	.has_tun = true,
	.has_cache = true,
	.has_alternatives = true,
	.has_config = true,
	.nofile_hard = 1024,
};

static json_object *parse(const uint8_t *data, size_t size)
{
	struct json_tokener *parser = json_tokener_new();
	json_object *tree;

	assert(parser != NULL);
	tree = json_tokener_parse_ex(parser, (const char *)data, (int)size);
	if (json_tokener_get_error(parser) != json_tokener_success) {
		json_object_put(tree);
		tree = NULL;
	}
	json_tokener_free(parser);
	return tree;
}

static const char *text_of(json_object *object, const char *key)
{
	const char *text = NULL;

	assert(oci_get_string(object, "", key, &text, NULL) == 0 && text != NULL);
	return text;
}

static json_object *member(json_object *object, const char *key)
{
	json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	assert(value != NULL);
	return value;
}

static bool is_ours(const char *path)
{
	static const char *const places[] = { "/proc", "/sys", "/dev", "/dev/pts", "/dev/mqueue",
		"/sys/fs/cgroup", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/usr",
		"/etc/ld.so.cache", "/etc/alternatives", "/etc/sluice", "/run/sluice",
		"/var/cache/sluice", "/srv/kernels", "/sluice/share/rootfs" };
	static const char volumes[] = "/sluice/share/vol/";

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strcmp(path, places[i]) == 0)
			return true;
	return strncmp(path, volumes, strlen(volumes)) == 0 &&
	       strspn(path + strlen(volumes), "0123456789") == strlen(path + strlen(volumes));
}

static size_t count_shared(json_object *mounts)
{
	size_t n = 0;

	for (size_t i = 0; i < oci_n_items(mounts); i++) {
		const char *path = text_of(json_object_array_get_idx(mounts, i), "destination");

		assert(is_ours(path));
		n += strncmp(path, "/sluice/share/vol/", 18) == 0;
	}
	return n;
}

static void check_config(json_object *config)
{
	json_object *process = member(config, "process");

	assert(strcmp(text_of(member(config, "root"), "path"), facts.machine_root) == 0);
	assert(json_object_get_boolean(member(member(config, "root"), "readonly")));
	assert(strcmp(json_object_get_string(json_object_array_get_idx(member(process, "args"), 0)),
		       "/usr/bin/sluice-vm") == 0);
	assert(json_object_array_length(member(process, "args")) == 6);
	assert(json_object_get_int(member(member(process, "user"), "uid")) == 0);
	assert(json_object_get_boolean(member(process, "noNewPrivileges")));
	assert(json_object_array_length(member(process, "env")) <= 3);
	member(member(config, "linux"), "seccomp");
	assert(strcmp(text_of(member(config, "annotations"), OCI_CONVERTED), OCI_CONVERSION) == 0);
}

static void check_volumes(json_object *config, json_object *container)
{
	json_object *volumes = member(container, "volumes");
	size_t n = 0;

	for (size_t i = 0; i < oci_n_items(volumes); i++)
		n += strcmp(text_of(json_object_array_get_idx(volumes, i), "kind"), "tmpfs") != 0;
	assert(n == count_shared(member(config, "mounts")));
}

static bool is_ascii(const char *text)
{
	while (*text != '\0' && (unsigned char)*text < 0x80)
		text++;
	return *text == '\0';
}

/* jansson knows more of what is no UTF-8 than json-c. */
static void check_container(json_object *container)
{
	const char *text = json_object_to_json_string_ext(container, JSON_C_TO_STRING_PLAIN);
	struct err err = { "" };

	assert(json_object_array_length(member(container, "args")) > 0);
	assert(text != NULL);
	if (is_ascii(text) && container_check(text, &err) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_object *config, *container = NULL;
	struct err err = { "" };
	int ret;

	config = size < INT32_MAX ? parse(data, size) : NULL;
	ret = oci_decide(config, &facts, &err);
	if (ret == OCI_CONVERT)
		ret = oci_convert(config, &facts, &container, &err);
	if (ret < 0) {
		assert(err.text[0] != '\0' && strchr(err.text, '\n') == NULL && container == NULL);
	} else if (container != NULL) {
		check_config(config);
		check_volumes(config, container);
		check_container(container);
	}
	json_object_put(container);
	json_object_put(config);
	return 0;
}
