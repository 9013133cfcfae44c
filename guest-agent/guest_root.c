/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/guest_root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Group tty, by the number that every distribution has for it. */
#define DEVPTS_OPTIONS "newinstance,ptmxmode=0666,mode=0620,gid=5"

struct kernel_mount {
	const char *path, *type, *options;
	unsigned long flags;
	bool required;
};

/* Made even where something is mounted: they belong to the new namespaces. */
static const struct kernel_mount own_mounts[] = {
	{ "/proc", "proc", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV, true },
	{ "/dev/pts", "devpts", DEVPTS_OPTIONS, MS_NOSUID | MS_NOEXEC, false },
};

/* Made where nothing is mounted: a volume stays what it is. In this order. */
static const struct kernel_mount root_mounts[] = {
	{ "/sys", "sysfs", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV, false },
	{ "/sys/fs/cgroup", "cgroup2", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV, false },
	{ "/dev", "devtmpfs", "mode=0755", MS_NOSUID | MS_NOEXEC, false },
	{ "/dev", "tmpfs", "mode=0755", MS_NOSUID | MS_NOEXEC, true },
	{ "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, false },
	{ "/dev/mqueue", "mqueue", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV, false },
};

/* What programs expect in /dev, and a tmpfs there has not. */
static const struct device {
	const char *path;
	unsigned major, minor;
} devices[] = {
	{ "/dev/null", 1, 3 },
	{ "/dev/zero", 1, 5 },
	{ "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 },
	{ "/dev/urandom", 1, 9 },
	{ "/dev/tty", 5, 0 },
	{ "/dev/console", 5, 1 },
	{ "/dev/ptmx", 5, 2 },
};

static const struct {
	const char *path, *target;
} links[] = {
	{ "/dev/fd", "/proc/self/fd" },
	{ "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" },
};

static bool is_mount_point(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, 0, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

static int mount_one(const struct kernel_mount *row, struct err *err)
{
	mkdir(row->path, 0755);
	if (mount(row->type, row->path, row->type, row->flags, row->options) == 0 || !row->required)
		return 0;
	return err_errno(err, errno, "cannot mount %s on %s", row->type, row->path);
}

/* What is there already, or cannot be made, stays as it is. */
static void fill_dev(void)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		dev_t number = makedev(devices[i].major, devices[i].minor);

		if (mknod(devices[i].path, S_IFCHR | 0666, number) == 0)
			(void)!chmod(devices[i].path, 0666);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		(void)!symlink(links[i].target, links[i].path);
}

static int mount_kernel_file_systems(bool is_service, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; !is_service && i < sizeof(root_mounts) / sizeof(root_mounts[0]); i++)
		if (ret == 0 && !is_mount_point(root_mounts[i].path))
			ret = mount_one(&root_mounts[i], err);
	for (size_t i = 0; ret == 0 && i < sizeof(own_mounts) / sizeof(own_mounts[0]); i++)
		ret = mount_one(&own_mounts[i], err);
	if (ret == 0 && !is_service)
		fill_dev();
	return ret;
}

/*
 * An initramfs cannot be pivoted away from: the root is moved over it. A directory that is no mount
 * point (an image in the initramfs) becomes one first; so does, to no harm, one that is.
 */
static int move_root(const char *root, struct err *err)
{
	if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0 || chdir(root) < 0)
		return err_errno(err, errno, "cannot enter the root %s", root);
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return err_errno(err, errno, "cannot make %s the root", root);
	return 0;
}

int guest_root_make(const char *root, struct err *err)
{
	bool is_service = strcmp(root, "/") == 0;
	int ret = 0;

	if (unshare(CLONE_NEWNS) < 0)
		return err_errno(err, errno, "cannot make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_errno(err, errno, "cannot make the mounts private");
	umask(022);
	if (!is_service)
		ret = move_root(root, err);
	return ret == 0 ? mount_kernel_file_systems(is_service, err) : ret;
}

int guest_root_join(int mount_ns, int root, struct err *err)
{
	if (setns(mount_ns, CLONE_NEWNS) < 0)
		return err_errno(err, errno, "cannot join the workload's mounts");
	if (fchdir(root) < 0 || chroot(".") < 0)
		return err_errno(err, errno, "cannot enter the workload's root");
	return 0;
}
