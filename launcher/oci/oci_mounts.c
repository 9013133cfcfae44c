/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_mounts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/container_spec.h"
#include "launcher/oci/oci_json.h"
#include "launcher/oci/oci_mount.h"
#include "lib/cleanup.h"

#define MOUNTS_MAX  1024 /* in a config.json, of any kind */
#define OPTIONS_MAX 4095 /* bytes that mount(2) takes in the guest */

/* --- volumes of the guest -------------------------------------------------------------------- */

static int put_options(
	json_object *volume, const struct oci_mount *mount, bool tmpfs, struct err *err)
{
	cleanup_free char *options = oci_mount_guest_options(mount, tmpfs);

	if (options == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (strlen(options) > OPTIONS_MAX)
		return err_set(err, -E2BIG, "mounts: %.128s: has more options than mount(2) takes",
			mount->destination);
	if (options[0] == '\0')
		return 0;
	return oci_put(volume, "options", json_object_new_string(options), err);
}

static int add_volume(struct oci_mounts *out, const struct oci_mount *mount, const char *kind,
	bool optional, struct err *err)
{
	json_object *volume = json_object_new_object();
	int ret;

	if (oci_n_items(out->volumes) == MACHINE_MOUNTS_MAX) {
		json_object_put(volume);
		return err_set(err, -E2BIG, "mounts: more than %d volumes", MACHINE_MOUNTS_MAX);
	}
	ret = oci_append(out->volumes, volume, err);
	if (ret == 0)
		ret = oci_put(volume, "kind", json_object_new_string(kind), err);
	if (ret == 0)
		ret = oci_put(
			volume, "destination", json_object_new_string(mount->destination), err);
	if (ret == 0)
		ret = put_options(volume, mount, strcmp(kind, "tmpfs") == 0, err);
	if (ret == 0 && mount->readonly)
		ret = oci_put(volume, "readonly", json_object_new_boolean(true), err);
	if (ret == 0 && optional)
		ret = oci_put(volume, "optional", json_object_new_boolean(true), err);
	return ret;
}

static int take_tmpfs(struct oci_mounts *out, const struct oci_mount *mount,
	const struct oci_volume *wish, struct err *err)
{
	if (wish != NULL && wish->nfs)
		return err_set(err, -EINVAL,
			"sluice.dev/volumes: %.128s: is memory, which NFS cannot serve",
			mount->destination);
	return add_volume(out, mount, "tmpfs", wish != NULL && wish->optional, err);
}

/* The same mount, bound to be served: whatever else it says of itself stays. */
static int share(struct oci_mounts *out, const struct oci_mount *mount, struct err *err)
{
	json_object *copy = oci_copy(mount->object);
	char place[64];
	int ret;

	ret = oci_append(out->shared, copy, err);
	if (ret < 0)
		return ret;
	snprintf(place, sizeof(place), CONTAINER_SHARE "/vol/%zu", out->n_shared++);
	ret = oci_put(copy, "destination", json_object_new_string(place), err);
	return ret < 0 ? ret : oci_put(copy, "options", oci_mount_share_options(mount), err);
}

static int take_share(struct oci_mounts *out, const struct oci_mount *mount,
	const struct oci_volume *wish, struct err *err)
{
	int ret = add_volume(out, mount, wish != NULL && wish->nfs ? "nfs" : "virtiofs",
		wish != NULL && wish->optional, err);

	return ret < 0 ? ret : share(out, mount, err);
}

/* --- what is the machine root's -------------------------------------------------------------- */

/* sluice-vm reads it; nobody writes it here: the guest has its own. */
static int keep_for_pod(struct oci_mounts *out, const struct oci_mount *mount, struct err *err)
{
	static const char *const options[] = { "bind", "ro", "rslave", "nosuid", "nodev", "noexec",
		NULL };
	json_object *copy = oci_copy(mount->object);
	int ret;

	ret = oci_append(out->kept, copy, err);
	return ret < 0 ? ret : oci_put(copy, "options", oci_words(options), err);
}

/* Memory of the node's kernel, such as engines bind there for the pod: nothing of it can come over,
 * but the guest has as much. */
static int take_memory(struct oci_mounts *out, const struct oci_mount *mount,
	const struct oci_facts *facts, struct err *err)
{
	cleanup_free char *own = oci_mount_guest_options(mount, false), *options = NULL;
	json_object *volume;
	char size[32] = "";
	int ret = add_volume(out, mount, "tmpfs", false, err);

	if (ret < 0)
		return ret;
	if (facts->shm_bytes > 0)
		snprintf(size, sizeof(size), ",size=%" PRIu64, facts->shm_bytes);
	if (own == NULL ||
		asprintf(&options, "%s%smode=1777%s", own, own[0] != '\0' ? "," : "", size) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	volume = json_object_array_get_idx(out->volumes, oci_n_items(out->volumes) - 1);
	return oci_put(volume, "options", json_object_new_string(options), err);
}

/* Nothing is to be made in it that a copy into the container would be: see
 * oci_machine_mounts.c. */
static int keep_kernel(struct oci_mounts *out, const struct oci_mount *mount, struct err *err)
{
	json_object *copy = oci_copy(mount->object), *options;
	int ret = oci_append(out->kept, copy, err);

	if (ret < 0 || strcmp(mount->destination, "/dev") != 0)
		return ret;
	options = oci_make_array(copy, "options");
	if (options == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	return oci_append(options, json_object_new_string("ro"), err);
}

static int take(struct oci_mounts *out, const struct oci_mount *mount, struct oci_volumes *wishes,
	const struct oci_facts *facts, struct err *err)
{
	switch (mount->use) {
	case OCI_MOUNT_KERNEL:
		return keep_kernel(out, mount, err);
	case OCI_MOUNT_POD:
		return keep_for_pod(out, mount, err);
	case OCI_MOUNT_SHM:
		return take_memory(out, mount, facts, err);
	case OCI_MOUNT_TMPFS:
		return take_tmpfs(out, mount, oci_volumes_find(wishes, mount->destination), err);
	default:
		return take_share(out, mount, oci_volumes_find(wishes, mount->destination), err);
	}
}

/* A bind to /dev/shm is a volume, unless it is of memory. */
static int read_mount(
	json_object *item, const struct oci_facts *facts, struct oci_mount *mount, struct err *err)
{
	int ret = oci_mount_read(item, mount, err);

	if (ret == 0 && mount->use == OCI_MOUNT_SHM && !facts->shm_is_memory)
		mount->use = OCI_MOUNT_SHARE;
	return ret;
}

int oci_mounts_part(json_object *mounts, const struct oci_facts *facts, struct oci_volumes *wishes,
	struct oci_mounts *out, struct err *err)
{
	int ret = 0;

	*out = (struct oci_mounts) {
		.kept = json_object_new_array(),
		.shared = json_object_new_array(),
		.volumes = json_object_new_array(),
	};
	if (out->kept == NULL || out->shared == NULL || out->volumes == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (oci_n_items(mounts) > MOUNTS_MAX)
		return err_set(err, -E2BIG, "mounts: more than %d", MOUNTS_MAX);
	for (size_t i = 0; ret == 0 && i < oci_n_items(mounts); i++) {
		struct oci_mount mount;
		json_object *item;

		ret = oci_item_object(mounts, "mounts", i, &item, err);
		if (ret == 0)
			ret = read_mount(item, facts, &mount, err);
		if (ret == 0)
			ret = take(out, &mount, wishes, facts, err);
	}
	return ret < 0 ? ret : oci_volumes_check(wishes, err);
}

void oci_mounts_free(struct oci_mounts *mounts)
{
	json_object_put(mounts->kept);
	json_object_put(mounts->shared);
	json_object_put(mounts->volumes);
	*mounts = (struct oci_mounts) { .n_shared = 0 };
}
