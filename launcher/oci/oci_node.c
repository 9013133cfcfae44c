/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_node.h"

#include <errno.h>
#include <string.h>

#include "launcher/oci/oci_devices.h"
#include "launcher/oci/oci_json.h"
#include "launcher/oci/oci_seccomp.h"

static bool is_of_kernel(const char *path)
{
	return (strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0) &&
	       strstr(path, "..") == NULL;
}

/* Keeps what is the kernel's: a user can name any path (podman --security-opt mask=...), which in
 * our root would hide something else. */
static int filter_paths(json_object *linux_part, const char *key, struct err *err)
{
	json_object *paths, *kept;
	int ret = oci_get_array(linux_part, "linux.", key, &paths, err);

	if (ret < 0 || paths == NULL)
		return ret;
	kept = json_object_new_array();
	ret = kept != NULL ? 0 : err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; ret == 0 && i < oci_n_items(paths); i++) {
		const char *path;

		ret = oci_item_string(paths, key, i, &path, err);
		if (ret == 0 && is_of_kernel(path))
			ret = oci_append(kept, json_object_new_string(path), err);
	}
	if (ret == 0)
		return oci_put(linux_part, key, kept, err);
	json_object_put(kept);
	return ret;
}

int oci_node_convert(json_object *linux_part, const struct oci_facts *facts, struct err *err)
{
	int ret = filter_paths(linux_part, "maskedPaths", err);

	if (ret == 0)
		ret = filter_paths(linux_part, "readonlyPaths", err);
	if (ret == 0)
		ret = oci_devices_add(linux_part, facts->has_kvm, facts->has_tun, err);
	if (ret == 0)
		ret = oci_put(linux_part, "seccomp", oci_seccomp_profile(), err);
	/* Of the root that there was, and for programs that there were. */
	json_object_object_del(linux_part, "rootfsPropagation");
	json_object_object_del(linux_part, "personality");
	return ret;
}
