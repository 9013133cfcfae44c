/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_init.h"

#include <string.h>

#include "launcher/oci/oci_json.h"

/* podman's, podman's of old, docker's. */
static const char *const places[] = { "/run/podman-init", "/dev/init", "/sbin/docker-init" };

static bool is_place(const char *path)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strcmp(path, places[i]) == 0)
			return true;
	return false;
}

/* `INIT -- COMMAND...`; *path is NULL if it is not that. */
static int read_args(json_object *args, const char **path, struct err *err)
{
	const char *first, *second;
	int ret;

	*path = NULL;
	if (oci_n_items(args) < 3)
		return 0;
	ret = oci_item_string(args, "process.args", 0, &first, err);
	if (ret == 0)
		ret = oci_item_string(args, "process.args", 1, &second, err);
	if (ret == 0 && is_place(first) && strcmp(second, "--") == 0)
		*path = first;
	return ret;
}

/* A program of that name that nobody has mounted is the image's own. */
static int find_mount(
	json_object *mounts, const char *path, size_t *at, bool *found, struct err *err)
{
	int ret = 0;

	*found = false;
	for (size_t i = 0; ret == 0 && !*found && i < oci_n_items(mounts); i++) {
		const char *destination;
		json_object *mount;

		ret = oci_item_object(mounts, "mounts", i, &mount, err);
		if (ret == 0)
			ret = oci_get_plain(mount, "mounts[].", "destination", &destination, err);
		*found = ret == 0 && destination != NULL && strcmp(destination, path) == 0;
		*at = i;
	}
	return ret;
}

int oci_init_strip(json_object *config, bool *found, struct err *err)
{
	json_object *process, *args, *mounts = NULL;
	const char *path = NULL;
	size_t at = 0;
	int ret = oci_get_object(config, "", "process", &process, err);

	*found = false;
	if (ret == 0)
		ret = oci_get_array(process, "process.", "args", &args, err);
	if (ret == 0)
		ret = read_args(args, &path, err);
	if (ret == 0)
		ret = oci_get_array(config, "", "mounts", &mounts, err);
	if (ret == 0 && path != NULL)
		ret = find_mount(mounts, path, &at, found, err);
	if (ret < 0 || !*found)
		return ret;
	json_object_array_del_idx(mounts, at, 1);
	json_object_array_del_idx(args, 0, 2);
	return 0;
}
