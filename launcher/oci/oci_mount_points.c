/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_mount_points.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/container_spec.h"
#include "launcher/oci/oci_json.h"
#include "lib/cleanup.h"
#include "lib/mount_point.h"

/* What is mounted at a place of the machine root; *source is NULL if nothing is. */
static int find_source(json_object *config, const char *place, const char **source, struct err *err)
{
	json_object *mounts;
	int ret = oci_get_array(config, "", "mounts", &mounts, err);

	*source = NULL;
	for (size_t i = 0; ret == 0 && *source == NULL && i < oci_n_items(mounts); i++) {
		const char *destination;
		json_object *mount;

		ret = oci_item_object(mounts, "mounts", i, &mount, err);
		if (ret == 0)
			ret = oci_get_string(mount, "mounts[].", "destination", &destination, err);
		if (ret == 0 && destination != NULL && strcmp(destination, place) == 0)
			ret = oci_get_string(mount, "mounts[].", "source", source, err);
	}
	return ret;
}

/* A file's mount point is a file. */
static int is_directory(json_object *config, unsigned number, bool *directory, struct err *err)
{
	const char *source;
	char place[64];
	struct stat st;
	int ret;

	snprintf(place, sizeof(place), CONTAINER_SHARE "/vol/%u", number);
	ret = find_source(config, place, &source, err);
	*directory = ret < 0 || source == NULL || stat(source, &st) < 0 || S_ISDIR(st.st_mode);
	return ret;
}

static int make(int root, const char *destination, bool directory, struct err *err)
{
	cleanup_close int fd = -1;
	int ret = mount_point_open(root, destination, directory, &fd, err);

	return ret == -EROFS ? 0 : ret;
}

static int make_all(json_object *config, json_object *volumes, int root, struct err *err)
{
	unsigned number = 0;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < oci_n_items(volumes); i++) {
		const char *kind = NULL, *destination = NULL;
		json_object *volume;
		bool directory = true;

		ret = oci_item_object(volumes, "volumes", i, &volume, err);
		if (ret == 0)
			ret = oci_get_string(volume, "volumes[].", "kind", &kind, err);
		if (ret == 0)
			ret = oci_get_string(
				volume, "volumes[].", "destination", &destination, err);
		if (ret == 0 && kind != NULL && strcmp(kind, "tmpfs") != 0)
			ret = is_directory(config, number++, &directory, err);
		if (ret == 0 && destination != NULL)
			ret = make(root, destination, directory, err);
	}
	return ret;
}

int oci_mount_points_make(json_object *config, json_object *container, struct err *err)
{
	cleanup_close int root = -1;
	bool readonly = false;
	json_object *volumes;
	const char *path;
	int ret = oci_get_bool(container, "", "readonly", &readonly, err);

	if (ret == 0)
		ret = oci_get_array(container, "", "volumes", &volumes, err);
	if (ret == 0)
		ret = find_source(config, CONTAINER_SHARE "/rootfs", &path, err);
	if (ret < 0 || !readonly || path == NULL)
		return ret;
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno(err, errno, "root.path %s", path);
	return make_all(config, volumes, root, err);
}
