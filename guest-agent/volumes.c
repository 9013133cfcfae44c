/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/volumes.h"

#include "guest-agent/console.h"
#include "guest-agent/machine_root.h"
#include "guest-agent/mount_tree.h"
#include "lib/cleanup.h"

static int mount_one(const struct machine_mount *mount, struct err *err)
{
	cleanup_close int tree = -1;
	int ret = mount_tree_open(mount, mount->readonly, &tree, err);

	if (ret == 0)
		ret = machine_root_attach(tree, mount->destination, err);
	return ret < 0 ? err_wrap(err, ret, "mount %s", mount->destination) : 0;
}

static void add_report(json_t *report, const struct machine_mount *mount, const char *error)
{
	json_array_append_new(report,
		json_pack("{s:s, s:s, s:s*, s:s*}", "destination", mount->destination, "kind",
			machine_fs_name(mount->kind), "source", mount->source, "error", error));
}

int volumes_mount(
	const struct machine_mount *mounts, size_t n_mounts, json_t *report, struct err *err)
{
	for (size_t i = 0; i < n_mounts; i++) {
		int ret = mount_one(&mounts[i], err);

		add_report(report, &mounts[i], ret < 0 ? err->text : NULL);
		if (ret < 0 && !mounts[i].optional)
			return ret;
		if (ret < 0)
			console_say("%s (it is optional)", err->text);
	}
	return 0;
}
