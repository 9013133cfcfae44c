/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A predecessor's keeper removes the directory as the last thing and then ends: whoever got hold of
 * it before and its lock afterwards has one that no name leads to, and begins again.
 */

#include "launcher/run/vm_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/process/remove_tree.h"
#include "lib/cleanup.h"

#define MARKER ".sluice" /* the file whose lock is the living's */

#define LOOK_MS 10

/* --- what is there --------------------------------------------------------------------------- */

static int make_dir(const char *path, mode_t mode, struct err *err)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_errno(err, errno, "cannot make %s", path);
	return 0;
}

static bool is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	size_t n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n == 2; /* "." and ".." */
}

/* What is removed without asking must be ours: a file of its own says so. */
static int check_is_ours(const struct vm_paths *paths, int fd, struct err *err)
{
	if (faccessat(fd, MARKER, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || is_empty(fd))
		return 0;
	return err_set(err, -ENOTEMPTY,
		"%s has files in it that are no VM's: set another run-dir or name", paths->dir);
}

static int clear_dir(const char *path)
{
	DIR *dir = opendir(path);
	char child[VM_PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	int ret = dir != NULL ? 0 : -errno;

	while (ret == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		ret = remove_tree(child);
	}
	if (dir != NULL)
		closedir(dir);
	return ret;
}

/* --- the locks ------------------------------------------------------------------------------- */

/* Without the file nobody has come so far, or has gone further. */
static bool is_alive(int dir)
{
	cleanup_close int fd = openat(dir, MARKER, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* Waits for those that just look. */
static int mark_as_ours(const struct vm_paths *paths, struct vm_dir *dir, struct err *err)
{
	dir->alive = openat(dir->kept, MARKER, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dir->alive < 0)
		return err_errno(err, errno, "cannot write to %s", paths->dir);
	while (flock(dir->alive, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno(err, errno, "cannot lock %s/" MARKER, paths->dir);
	return 0;
}

static bool is_named(const char *path, int fd)
{
	struct stat named, held;

	return stat(path, &named) == 0 && fstat(fd, &held) == 0 && named.st_dev == held.st_dev &&
	       named.st_ino == held.st_ino;
}

/* Returns 1: somebody who has ended is still being cleaned up behind; -EBUSY: somebody lives. */
static int try_lock(const struct vm_paths *paths, int *kept, struct err *err)
{
	cleanup_close int fd = -1;
	int ret = make_dir(paths->dir, 0700, err);

	if (ret < 0)
		return ret;
	fd = open(paths->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 1 : err_errno(err, errno, "%s", paths->dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (!is_alive(fd))
			return 1;
		return err_set(
			err, -EBUSY, "a VM of this name is running (%s is locked)", paths->dir);
	}
	if (!is_named(paths->dir, fd))
		return 1;
	*kept = steal_fd(&fd);
	return 0;
}

static int lock(const struct vm_paths *paths, int *kept, struct err *err)
{
	int ret = try_lock(paths, kept, err);

	for (unsigned ms = 0; ret == 1 && ms < VM_DIR_WAIT_MS; ms += LOOK_MS) {
		poll(NULL, 0, LOOK_MS);
		ret = try_lock(paths, kept, err);
	}
	if (ret == 1)
		return err_set(err, -EBUSY,
			"a VM of this name has ended and is still being cleaned up behind (%s is "
			"locked)",
			paths->dir);
	return ret;
}

static int take_over(const struct vm_paths *paths, struct vm_dir *dir, struct err *err)
{
	int ret = check_is_ours(paths, dir->kept, err);

	if (ret < 0)
		return ret;
	ret = clear_dir(paths->dir);
	if (ret < 0)
		return err_errno(err, -ret, "cannot clear %s", paths->dir);
	return mark_as_ours(paths, dir, err);
}

int vm_dir_claim(const struct vm_paths *paths, struct vm_dir *dir, struct err *err)
{
	int ret = make_dir(paths->run_dir, 0755, err);

	*dir = VM_DIR_NONE;
	if (ret == 0)
		ret = lock(paths, &dir->kept, err);
	if (ret == 0)
		ret = take_over(paths, dir, err);
	if (ret < 0)
		vm_dir_release(dir);
	return ret;
}

void vm_dir_release(struct vm_dir *dir)
{
	if (dir->alive >= 0)
		close(dir->alive);
	if (dir->kept >= 0)
		close(dir->kept);
	*dir = VM_DIR_NONE;
}
