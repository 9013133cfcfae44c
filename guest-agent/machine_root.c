/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/machine_root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "guest-agent/console.h"
#include "guest-agent/early_mounts.h"
#include "lib/mount_point.h"
#include "guest-agent/mount_tree.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define FILES_DIR AGENT_DIR "/etc"

/* Writable for now; what cannot be written to at all is mounted as it can be. */
static int open_root(const struct machine_mount *root, int *tree, struct err *err)
{
	int ret = mount_tree_open(root, false, tree, err);

	if (root->readonly && (ret == -EROFS || ret == -EACCES))
		ret = mount_tree_open(root, true, tree, err);
	return ret;
}

int machine_root_mount(const struct machine_mount *root, struct err *err)
{
	cleanup_close int tree = -1, at = -1;
	int ret = open_root(root, &tree, err);

	if (ret == 0) {
		at = open(MACHINE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
		ret = at < 0 ? err_errno(err, errno, "cannot open " MACHINE_ROOT)
			     : mount_tree_attach(tree, at, err);
	}
	return ret < 0 ? err_wrap(err, ret, "mount /") : 0;
}

int machine_root_attach(int tree, const char *path, struct err *err)
{
	cleanup_close int root = open(MACHINE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC), at = -1;
	int directory = mount_tree_is_directory(tree), ret;

	if (root < 0)
		return err_errno(err, errno, "cannot open " MACHINE_ROOT);
	if (directory < 0)
		return err_errno(err, -directory, "cannot look at what is to be mounted");
	ret = mount_point_open(root, path, directory, &at, err);
	return ret == 0 ? mount_tree_attach(tree, at, err) : ret;
}

static int place(const char *from, const char *path, struct err *err)
{
	cleanup_close int tree = -1;
	int ret = mount_tree_clone(from, &tree, err);

	return ret == 0 ? machine_root_attach(tree, path, err) : ret;
}

void machine_root_add_kernel(void)
{
	static const char *const paths[] = { "/dev", "/sys" };
	struct err err;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (place(paths[i], paths[i], &err) < 0)
			console_say("%s is left out: %s", paths[i], err.text);
}

/* "/etc/hosts" from AGENT_DIR "/etc/hosts". */
static int add_file(const char *path, const char *text, const char *end, struct err *err)
{
	cleanup_free char *own = NULL, *whole = NULL;
	int ret;

	if (asprintf(&own, AGENT_DIR "%s", path) < 0 || asprintf(&whole, "%s%s", text, end) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (mkdir(FILES_DIR, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "cannot create " FILES_DIR);
	ret = whole_file_write(own, 0644, whole, strlen(whole));
	if (ret < 0)
		return err_errno(err, -ret, "cannot write %s", own);
	return place(own, path, err);
}

void machine_root_add_files(const struct machine_spec *spec)
{
	const struct {
		const char *path, *text, *end;
	} files[] = {
		{ "/etc/hostname", spec->hostname, "\n" },
		{ "/etc/hosts", spec->hosts, "" },
		{ "/etc/resolv.conf", spec->resolv_conf, "" },
	};
	struct err err;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i].text != NULL &&
			add_file(files[i].path, files[i].text, files[i].end, &err) < 0)
			console_say("%s stays the root's own: %s", files[i].path, err.text);
}

int machine_root_finish(const struct machine_mount *root, struct err *err)
{
	return root->readonly ? mount_tree_make_read_only(MACHINE_ROOT, err) : 0;
}

bool machine_root_has_entrypoint(void)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	cleanup_close int root = open(MACHINE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	if (root >= 0)
		fd = (int)syscall(SYS_openat2, root, MACHINE_ROOT_ENTRYPOINT, &how, sizeof(how));
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
}
