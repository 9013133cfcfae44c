/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_machine_mounts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/container_spec.h"
#include "launcher/oci/oci_json.h"
#include "lib/cleanup.h"

/* --- one of them ----------------------------------------------------------------------------- */

/* Takes `options` over. */
static int add(json_object *mounts, const char *destination, const char *type, const char *source,
	json_object *options, struct err *err)
{
	json_object *mount = json_object_new_object();
	int ret = oci_append(mounts, mount, err);

	if (ret == 0)
		ret = oci_put(mount, "destination", json_object_new_string(destination), err);
	if (ret == 0)
		ret = oci_put(mount, "type", json_object_new_string(type), err);
	if (ret == 0)
		ret = oci_put(mount, "source", json_object_new_string(source), err);
	if (ret == 0)
		return oci_put(mount, "options", options, err);
	json_object_put(options);
	return ret;
}

/* Of the node, read-only. */
static int add_bind(
	json_object *mounts, const char *destination, const char *source, struct err *err)
{
	static const char *const options[] = { "rbind", "ro", "rslave", "nosuid", "nodev", NULL };

	return add(mounts, destination, "bind", source, oci_words(options), err);
}

/* `size` NULL: as much as the container's memory limit lets it have. */
static int add_tmpfs(json_object *mounts, const char *destination, const char *mode,
	const char *size, struct err *err)
{
	const char *const options[] = { "nosuid", "nodev", mode, size, NULL };

	return add(mounts, destination, "tmpfs", "tmpfs", oci_words(options), err);
}

/* --- programs -------------------------------------------------------------------------------- */

/* The same path of the node's, or of the image that takes its place. */
static int add_part(json_object *mounts, const struct runtime_settings *settings, const char *path,
	struct err *err)
{
	cleanup_free char *source = NULL;

	if (asprintf(&source, "%s%s", settings->machine_root, path) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return add_bind(mounts, path, source, err);
}

static int add_dirs(json_object *mounts, const struct oci_facts *facts, struct err *err)
{
	int ret = 0;

	for (const char *const *dir = facts->machine_dirs; ret == 0 && dir != NULL && *dir != NULL;
		dir++) {
		cleanup_free char *path = NULL;

		if (asprintf(&path, "/%s", *dir) < 0)
			return err_set(err, -ENOMEM, "out of memory");
		ret = add_part(mounts, facts->settings, path, err);
	}
	return ret;
}

static int add_programs(json_object *mounts, const struct oci_facts *facts, struct err *err)
{
	int ret = add_part(mounts, facts->settings, "/usr", err);

	if (ret == 0)
		ret = add_dirs(mounts, facts, err);
	if (ret == 0 && facts->has_cache)
		ret = add_part(mounts, facts->settings, "/etc/ld.so.cache", err);
	if (ret == 0 && facts->has_alternatives)
		ret = add_part(mounts, facts->settings, "/etc/alternatives", err);
	if (ret == 0 && facts->has_config)
		ret = add_bind(mounts, "/etc/sluice", "/etc/sluice", err);
	return ret;
}

/* "/opt/sluice,/srv/kernels" */
static int add_listed(json_object *mounts, const char *list, struct err *err)
{
	char copy[RUNTIME_LIST_MAX], *rest = copy, *path;
	int ret = 0;

	snprintf(copy, sizeof(copy), "%s", list);
	while (ret == 0 && (path = strsep(&rest, ",")) != NULL) {
		if (path[0] == '\0')
			continue;
		if (path[0] != '/' || strspn(path, "/") == strlen(path))
			return err_set(err, -EINVAL,
				"machine-binds: \"%.128s\" is no absolute path of a part of the "
				"node",
				path);
		ret = add_bind(mounts, path, path, err);
	}
	return ret;
}

/* --- memory ---------------------------------------------------------------------------------- */

/*
 * All that can be written to has our name: engines copy files into a container that runs by
 * entering its mount namespace (podman cp), and must be told by this root that it is not the one
 * they mean. UML keeps the guest's memory in /run/sluice, and maps it executable.
 */
int oci_machine_mounts_add(json_object *mounts, const struct oci_facts *facts, struct err *err)
{
	int ret = add_programs(mounts, facts, err);

	if (ret == 0)
		ret = add_tmpfs(mounts, "/run/sluice", "mode=755", NULL, err);
	if (ret == 0)
		ret = add_tmpfs(mounts, "/var/cache/sluice", "mode=755", "size=1g", err);
	return ret < 0 ? ret : add_listed(mounts, facts->settings->machine_binds, err);
}

/* --- the user's root ------------------------------------------------------------------------- */

int oci_machine_mounts_add_root(json_object *mounts, json_object *config, const char *bundle,
	bool *readonly, struct err *err)
{
	static const char *const words[] = { "rbind", "rslave", "nosuid", "nodev", "noexec", NULL,
		NULL };
	const char *options[sizeof(words) / sizeof(words[0])];
	cleanup_free char *source = NULL;
	const char *path;
	json_object *root;
	int ret = oci_get_object(config, "", "root", &root, err);

	*readonly = false;
	if (ret == 0)
		ret = oci_get_string(root, "root.", "path", &path, err);
	if (ret == 0)
		ret = oci_get_bool(root, "root.", "readonly", readonly, err);
	if (ret < 0)
		return ret;
	if (path == NULL || path[0] == '\0')
		return err_set(err, -EINVAL, "root.path: missing");
	if (asprintf(&source, "%s%s%s", path[0] == '/' ? "" : bundle, path[0] == '/' ? "" : "/",
		    path) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(options, words, sizeof(words));
	if (*readonly)
		options[sizeof(words) / sizeof(words[0]) - 2] = "ro";
	return add(mounts, CONTAINER_SHARE "/rootfs", "bind", source, oci_words(options), err);
}
