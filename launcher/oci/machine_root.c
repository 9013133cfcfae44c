/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/machine_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define NEW_NAME ".new" /* of a file until it is whole */

/* Each is behind what it is in. */
static const struct {
	const char *path;
	mode_t mode;
} dirs[] = {
	{ "usr", 0755 },
	{ "etc", 0755 },
	{ "proc", 0755 },
	{ "sys", 0755 },
	{ "dev", 0755 },
	{ "run", 0755 },
	{ "run/sluice", 0755 },
	{ "tmp", 01777 },
	{ "var", 0755 },
	{ "var/run", 0755 },
	{ "var/cache", 0755 },
	{ "var/cache/sluice", 0755 },
	{ "sluice", 0700 },
	{ "sluice/share", 0755 },
	{ "sluice/share/rootfs", 0755 },
	{ "sluice/share/vol", 0755 },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "var/run/dpdk", "../../run/sluice" },
	{ "var/run/virtiofsd", "../../run/sluice" },
	{ "etc/mtab", "../proc/self/mounts" }, /* nfs-ganesha finds file systems in it */
	{ "bin", "usr/bin" },
	{ "sbin", "usr/sbin" },
	{ "lib", "usr/lib" },
	{ "lib64", "usr/lib64" },
	{ "lib32", "usr/lib32" },
};

static const struct {
	const char *name, *text;
} etc_files[] = {
	{ "passwd", "root:x:0:0:root:/:/bin/sh\n"
		    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
	{ "group", "root:x:0:\nnogroup:x:65534:\n" },
	/* nfs-ganesha does not start without it. */
	{ "netconfig", "udp tpi_clts v inet udp - -\n"
		       "tcp tpi_cots_ord v inet tcp - -\n"
		       "udp6 tpi_clts v inet6 udp - -\n"
		       "tcp6 tpi_cots_ord v inet6 tcp - -\n"
		       "rawip tpi_raw - inet - - -\n"
		       "local tpi_cots_ord - loopback - - -\n"
		       "unix tpi_cots_ord - loopback - - -\n" },
	/* No names from the network: it is the guest's, and whoever asks waits for ten seconds. */
	{ "nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n" },
};

/* --- directories ----------------------------------------------------------------------------- */

/* A directory below `dir`, and not by way of a symbolic link. */
static int open_dir(int dir, const char *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd >= 0 ? fd : -errno;
}

/* Its descriptor. Whatever the umask. */
static int make_dir(int parent, const char *path, mode_t mode, struct err *err)
{
	cleanup_close int fd = -1;

	if (mkdirat(parent, path, mode) < 0 && errno != EEXIST)
		return err_errno(err, errno, "machine root: cannot make %s", path);
	fd = open_dir(parent, path);
	if (fd < 0)
		return err_errno(err, -fd, "machine root: cannot use %s", path);
	if (fchmod(fd, mode) < 0)
		return err_errno(err, errno, "machine root: cannot set the mode of %s", path);
	return steal_fd(&fd);
}

static int make_dirs(int root, struct err *err)
{
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd = make_dir(root, dirs[i].path, dirs[i].mode, err);

		if (fd < 0)
			return fd;
		close(fd);
	}
	return 0;
}

/* --- links ----------------------------------------------------------------------------------- */

static bool is_link_to(int root, const char *name, const char *target)
{
	char found[32];
	ssize_t n = readlinkat(root, name, found, sizeof(found));

	return n == (ssize_t)strlen(target) && memcmp(found, target, (size_t)n) == 0;
}

static int make_links(int root, struct err *err)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i].target, root, links[i].name) < 0 &&
			!(errno == EEXIST && is_link_to(root, links[i].name, links[i].target)))
			return err_errno(
				err, errno, "machine root: cannot make the link %s", links[i].name);
	return 0;
}

/* --- files ----------------------------------------------------------------------------------- */

static int write_new(int dir, mode_t mode, const char *text, size_t len)
{
	cleanup_close int fd = -1;

	if (unlinkat(dir, NEW_NAME, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(
		dir, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0600);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0)
		return -errno;
	return whole_file_write_fd(fd, text, len);
}

/* There is no moment in which a part of it is there under its name. */
static int write_file(
	int dir, const char *name, mode_t mode, const char *text, size_t len, struct err *err)
{
	int ret = write_new(dir, mode, text, len);

	if (ret == 0 && renameat(dir, NEW_NAME, dir, name) < 0)
		ret = -errno;
	if (ret == 0)
		return 0;
	unlinkat(dir, NEW_NAME, 0);
	return err_errno(err, -ret, "machine root: cannot write %s", name);
}

static int write_etc(int root, struct err *err)
{
	cleanup_close int etc = open_dir(root, "etc");
	int ret = 0;

	if (etc < 0)
		return err_errno(err, -etc, "machine root: cannot use etc");
	for (size_t i = 0; ret == 0 && i < sizeof(etc_files) / sizeof(etc_files[0]); i++)
		ret = write_file(etc, etc_files[i].name, 0644, etc_files[i].text,
			strlen(etc_files[i].text), err);
	return ret;
}

static int write_container(int root, const char *text, size_t len, struct err *err)
{
	cleanup_close int dir = open_dir(root, "sluice");

	if (dir < 0)
		return err_errno(err, -dir, "machine root: cannot use sluice");
	return write_file(dir, "container.json", 0600, text, len, err);
}

int machine_root_make(const char *bundle, const char *text, size_t len, struct err *err)
{
	cleanup_close int parent = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC), root = -1;
	int ret;

	if (parent < 0)
		return err_errno(err, errno, "bundle %s", bundle);
	root = make_dir(parent, MACHINE_ROOT_NAME, 0755, err);
	if (root < 0)
		return root;
	ret = make_dirs(root, err);
	if (ret == 0)
		ret = make_links(root, err);
	if (ret == 0)
		ret = write_etc(root, err);
	return ret < 0 ? ret : write_container(root, text, len, err);
}
