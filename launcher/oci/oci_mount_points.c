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

const char *oci_mount_points_source(json_object *config, const char *place)
{
	const char *source = NULL;

	return find_source(config, place, &source, NULL) == 0 ? source : NULL;
}

/* --- what is mounted ------------------------------------------------------------------------- */

/* A file's mount point is a file. What joins two programs of one kernel is refused: a guest that
 * opens it would wait for ever, or be told that nobody is there. */
static int look_at_source(json_object *config, unsigned number, const char *destination,
	bool *directory, struct err *err)
{
	const char *source;
	char place[64];
	struct stat st;
	int ret;

	*directory = true;
	snprintf(place, sizeof(place), CONTAINER_SHARE "/vol/%u", number);
	ret = find_source(config, place, &source, err);
	if (ret < 0 || source == NULL || stat(source, &st) < 0)
		return ret;
	if (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode))
		return err_set(err, -ENOTSUP,
			"mounts: %.128s: is a %s, which connects nobody in a VM with anybody on "
			"the node: leave it out, or sluice.dev/vm",
			destination, S_ISSOCK(st.st_mode) ? "unix socket" : "named pipe");
	*directory = S_ISDIR(st.st_mode);
	return 0;
}

/* --- where it goes --------------------------------------------------------------------------- */

static int make(int root, const char *destination, bool directory, struct err *err)
{
	cleanup_close int fd = -1;
	int ret = mount_point_open(root, destination, directory, &fd, err);

	return ret == -EROFS ? 0 : ret;
}

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	while (len > 1 && top[len - 1] == '/')
		len--;
	return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

struct place {
	json_object *config;
	const char *cwd; /* NULL: nothing is to be done about it */
	int root;        /* -1: it can be written to */
	unsigned number; /* of the next share */
};

static int look_at_volume(struct place *place, json_object *volume, struct err *err)
{
	const char *kind = NULL, *destination = NULL;
	bool directory = true;
	int ret = oci_get_string(volume, "volumes[].", "kind", &kind, err);

	if (ret == 0)
		ret = oci_get_string(volume, "volumes[].", "destination", &destination, err);
	if (ret < 0 || kind == NULL || destination == NULL)
		return ret;
	if (strcmp(kind, "tmpfs") != 0)
		ret = look_at_source(place->config, place->number++, destination, &directory, err);
	if (place->cwd != NULL && is_below(place->cwd, destination))
		place->cwd = NULL;
	return ret < 0 || place->root < 0 ? ret : make(place->root, destination, directory, err);
}

/* A working directory in a volume is the guest's to make. One that cannot be made is missed by
 * whoever enters it. */
static int look_at_volumes(struct place *place, json_object *volumes, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < oci_n_items(volumes); i++) {
		json_object *volume;

		ret = oci_item_object(volumes, "volumes", i, &volume, err);
		if (ret == 0)
			ret = look_at_volume(place, volume, err);
	}
	if (ret == 0 && place->root >= 0 && place->cwd != NULL &&
		strspn(place->cwd, "/") != strlen(place->cwd))
		(void)make(place->root, place->cwd, true, NULL);
	return ret;
}

int oci_mount_points_make(json_object *config, json_object *container, struct err *err)
{
	struct place place = { .config = config, .root = -1 };
	json_object *volumes, *process;
	cleanup_close int root = -1;
	bool readonly = false;
	const char *path;
	int ret = oci_get_bool(container, "", "readonly", &readonly, err);

	if (ret == 0)
		ret = oci_get_array(container, "", "volumes", &volumes, err);
	if (ret == 0)
		ret = oci_get_object(container, "", "process", &process, err);
	if (ret == 0)
		ret = oci_get_string(process, "process.", "cwd", &place.cwd, err);
	if (ret == 0)
		ret = find_source(config, CONTAINER_SHARE "/rootfs", &path, err);
	if (ret < 0)
		return ret;
	if (readonly && path != NULL) {
		root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root < 0)
			return err_errno(err, errno, "root.path %s", path);
		place.root = root;
	}
	return look_at_volumes(&place, volumes, err);
}
