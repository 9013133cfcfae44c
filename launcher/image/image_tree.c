/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/image_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

static int add_directory(
	struct cpio *cpio, int fd, const struct stat *st, const char *path, struct err *err);

static struct cpio_entry entry_of(const struct stat *st, const char *path)
{
	return (struct cpio_entry) {
		.path = path,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime = st->st_mtim.tv_sec > 0 ? (uint32_t)st->st_mtim.tv_sec : 0,
		.fd = -1,
	};
}

static int add_symlink(struct cpio *cpio, int dir, const char *name, const struct stat *st,
	const char *path, struct err *err)
{
	struct cpio_entry entry = entry_of(st, path);
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir, name, target, sizeof(target));

	if (len < 0)
		return err_errno(err, errno, "cannot read the symlink %s", path);
	entry.data = target;
	entry.len = (uint64_t)len;
	return cpio_add(cpio, &entry, err);
}

/* What the name is now may be other than what it was: what has been opened decides. */
static int add_opened(
	struct cpio *cpio, int dir, const char *name, const char *path, int flags, struct err *err)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags);
	struct cpio_entry entry;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "cannot open %s", path);
	if (S_ISDIR(st.st_mode))
		return add_directory(cpio, fd, &st, path, err);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EIO, "%s was replaced while it was read", path);
	entry = entry_of(&st, path);
	entry.fd = fd;
	entry.len = (uint64_t)st.st_size;
	return cpio_add(cpio, &entry, err);
}

static int add_name(struct cpio *cpio, int dir, const char *name, const char *path, struct err *err)
{
	struct cpio_entry entry;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "cannot look at %s", path);
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		return add_opened(cpio, dir, name, path, O_DIRECTORY, err);
	case S_IFREG:
		return add_opened(cpio, dir, name, path, O_NONBLOCK, err);
	case S_IFLNK:
		return add_symlink(cpio, dir, name, &st, path, err);
	case S_IFSOCK:
		return 0;
	default:
		entry = entry_of(&st, path);
		entry.rdev = st.st_rdev;
		return cpio_add(cpio, &entry, err);
	}
}

/* Not alphasort(3), which asks the locale. */
static int compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int add_entries(
	struct cpio *cpio, int fd, struct dirent **list, int n, const char *path, struct err *err)
{
	int ret = 0;

	for (int i = 0; i < n; i++) {
		cleanup_free char *below = NULL;

		if (ret == 0 && asprintf(&below, "%s/%s", path, list[i]->d_name) < 0)
			ret = err_set(err, -ENOMEM, "out of memory");
		if (ret == 0)
			ret = add_name(cpio, fd, list[i]->d_name, below, err);
		free(list[i]);
	}
	return ret;
}

static int add_directory(
	struct cpio *cpio, int fd, const struct stat *st, const char *path, struct err *err)
{
	struct cpio_entry entry = entry_of(st, path);
	struct dirent **list = NULL;
	int n, ret = cpio_add(cpio, &entry, err);

	if (ret < 0)
		return ret;
	n = scandirat(fd, ".", &list, is_entry, compare);
	if (n < 0)
		return err_errno(err, errno, "cannot read the directory %s", path);
	ret = add_entries(cpio, fd, list, n, path, err);
	free(list);
	return ret;
}

int image_tree_add(struct cpio *cpio, const char *tree, const char *path, struct err *err)
{
	cleanup_close int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "cannot open the directory %s", tree);
	return add_directory(cpio, fd, &st, path, err);
}
