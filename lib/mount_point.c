/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The path is walked one component at a time. What has been walked, `done`, has neither symlinks
 * nor
 * ".." in it; what lies ahead, `rest`, may have both. The next component is looked at by openat2(2)
 * without following symlinks: a symlink's target goes in front of the rest, a missing one is
 * created, anything else moves to `done`. As `done` has no symlinks, ".." takes a component off it,
 * and every look is refused by the kernel (RESOLVE_NO_SYMLINKS) if somebody, on the other side of a
 * shared file system, put one there in the meantime.
 */
#include "lib/mount_point.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "lib/cleanup.h"

struct walk {
	int root;
	bool directory; /* what the last component is to be */
	unsigned n_links;
	char done[PATH_MAX]; /* "" or "a/b" */
	char rest[PATH_MAX]; /* "/c/../d" */
	char name[NAME_MAX + 1];
};

static int open_done(const struct walk *walk, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (unsigned)flags | O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, walk->root, path[0] != '\0' ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Moves the next component from the rest into walk->name; 0: there is none. */
static int next_name(struct walk *walk)
{
	char *at = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(at, "/");

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(walk->name, at, len);
	walk->name[len] = '\0';
	memmove(walk->rest, at + len, strlen(at + len) + 1);
	return len > 0;
}

static bool is_last(const struct walk *walk)
{
	return walk->rest[strspn(walk->rest, "/")] == '\0';
}

static void step_back(struct walk *walk)
{
	char *slash = strrchr(walk->done, '/');

	*(slash != NULL ? slash : walk->done) = '\0';
}

/* The symlink's target and the rest become the rest; from the top if it is absolute. */
static int follow(struct walk *walk, int link)
{
	char target[PATH_MAX], joined[2 * PATH_MAX];
	ssize_t len = readlinkat(link, "", target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	if (++walk->n_links > MOUNT_POINT_LINKS_MAX)
		return -ELOOP;
	target[len] = '\0';
	if (target[0] == '/')
		walk->done[0] = '\0';
	if (snprintf(joined, sizeof(joined), "%s/%s", target, walk->rest) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(walk->rest, joined);
	return 0;
}

/* In the directory `done`. Somebody else may have been quicker. */
static int create(const struct walk *walk)
{
	cleanup_close int parent = open_done(walk, walk->done, O_DIRECTORY);
	int ret;

	if (parent < 0)
		return parent;
	if (walk->directory || !is_last(walk))
		ret = mkdirat(parent, walk->name, 0755);
	else
		ret = mknodat(parent, walk->name, S_IFREG | 0644, 0);
	return ret < 0 && errno != EEXIST ? -errno : 0;
}

static int step_into(struct walk *walk)
{
	char path[PATH_MAX];
	cleanup_close int fd = -1;
	struct stat st;
	int ret;

	if (snprintf(path, sizeof(path), "%s%s%s", walk->done, walk->done[0] != '\0' ? "/" : "",
		    walk->name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open_done(walk, path, O_NOFOLLOW);
	if (fd == -ENOENT) {
		ret = create(walk);
		if (ret < 0)
			return ret;
		fd = open_done(walk, path, O_NOFOLLOW);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return follow(walk, fd);
	strcpy(walk->done, path);
	return 0;
}

static int run(struct walk *walk)
{
	int ret;

	while ((ret = next_name(walk)) > 0) {
		if (strcmp(walk->name, "..") == 0)
			step_back(walk);
		else if (strcmp(walk->name, ".") != 0)
			ret = step_into(walk);
		if (ret < 0)
			break;
	}
	return ret;
}

static int finish(const struct walk *walk, int *out)
{
	cleanup_close int fd = open_done(walk, walk->done, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode) != walk->directory)
		return walk->directory ? -ENOTDIR : -EISDIR;
	*out = steal_fd(&fd);
	return 0;
}

int mount_point_open(int root, const char *path, bool directory, int *fd, struct err *err)
{
	struct walk walk = { .root = root, .directory = directory };
	int ret = -ENAMETOOLONG;

	if (snprintf(walk.rest, sizeof(walk.rest), "%s", path) < (int)sizeof(walk.rest))
		ret = run(&walk);
	if (ret == 0)
		ret = finish(&walk, fd);
	return ret < 0 ? err_errno(err, -ret, "mount point %s", path) : 0;
}
