/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * An archive's name in the cache is the hash of its own bytes: it is first composed without being
 * written, which costs reading the agent and some modules, and written if no file has that name.
 * What changes in between gives another hash, and so another name.
 *
 * While one is written the cache's directory is locked: machines that start together write it once,
 * and what a killed writer leaves is the one file ".new", which the next writer overwrites.
 */
#include "launcher/image/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/image/cpio.h"
#include "launcher/image/image_tree.h"
#include "launcher/image/modules_dep.h"
#include "lib/cleanup.h"

#define NEW_FILE  ".new"
#define NAME_SIZE 256

/* --- what is in it --------------------------------------------------------------------------- */

static int add_directories(struct cpio *cpio, struct err *err)
{
	static const char *const paths[] = { "dev", "etc", "etc/sluice", "lib", "lib/modules",
		"proc", "run", "sys" };
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(paths) / sizeof(paths[0]); i++)
		ret = cpio_add(cpio,
			&(struct cpio_entry) { .path = paths[i], .mode = S_IFDIR | 0755, .fd = -1 },
			err);
	return ret;
}

static int add_file(
	struct cpio *cpio, const char *file, const char *path, mode_t mode, struct err *err)
{
	cleanup_close int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int ret;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "cannot open %s", file);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s is not a file", file);
	ret = cpio_add(cpio,
		&(struct cpio_entry) { .path = path,
			.mode = S_IFREG | mode,
			.fd = fd,
			.len = (uint64_t)st.st_size },
		err);
	return ret < 0 ? err_wrap(err, ret, "%s", file) : 0;
}

/* All of them in one directory: the kernel has no two modules of one name. */
static int add_modules(
	struct cpio *cpio, const char *dir, char *const *files, char *list, struct err *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	int ret = 0;

	list[0] = '\0';
	for (size_t i = 0; ret == 0 && files != NULL && files[i] != NULL; i++) {
		const char *slash = strrchr(files[i], '/');

		snprintf(to, sizeof(to), "lib/modules/%s", slash != NULL ? slash + 1 : files[i]);
		if (snprintf(from, sizeof(from), "%s/%s", dir, files[i]) >= (int)sizeof(from))
			return err_set(err, -ENAMETOOLONG, "%s: the path is too long", dir);
		ret = add_file(cpio, from, to, 0644, err);
		list = stpcpy(stpcpy(stpcpy(list, "/"), to), "\n");
	}
	return ret;
}

/* The modules, and the list that the agent goes by. */
static int add_modules_and_list(
	struct cpio *cpio, const char *dir, char *const *files, struct err *err)
{
	cleanup_free char *list = NULL;
	size_t size = 1;
	int ret;

	for (size_t i = 0; files != NULL && files[i] != NULL; i++)
		size += strlen("/lib/modules/\n") + strlen(files[i]);
	list = malloc(size);
	if (list == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = add_modules(cpio, dir, files, list, err);
	if (ret < 0)
		return ret;
	return cpio_add(cpio,
		&(struct cpio_entry) { .path = "etc/sluice/modules",
			.mode = S_IFREG | 0644,
			.data = list,
			.fd = -1,
			.len = strlen(list) },
		err);
}

static int compose(
	struct cpio *cpio, const struct initramfs_plan *plan, char *const *modules, struct err *err)
{
	int ret = add_directories(cpio, err);

	if (ret == 0)
		ret = add_file(cpio, plan->agent, "init", 0755, err);
	if (ret == 0)
		ret = add_modules_and_list(cpio, plan->modules_dir, modules, err);
	if (ret == 0 && plan->tree != NULL)
		ret = image_tree_add(cpio, plan->tree, "image", err);
	return ret;
}

/* To `fd`, or nowhere: what its bytes' hash and length are. */
static int write_archive(const struct initramfs_plan *plan, char *const *modules, int fd,
	char *digest, uint64_t *len, struct err *err)
{
	struct cpio *cpio = NULL;
	int ret = cpio_open(fd, &cpio, err);

	if (ret == 0)
		ret = compose(cpio, plan, modules, err);
	if (ret == 0)
		ret = cpio_finish(cpio, digest, len, err);
	cpio_free(cpio);
	return ret;
}

/* The last component of ".../6.1.0-13-amd64": the kernel's version; "" of none. */
static void version_of(const char *dir, char *version, size_t size)
{
	size_t len = dir != NULL ? strlen(dir) : 0, from;

	while (len > 0 && dir[len - 1] == '/')
		len--;
	for (from = len; from > 0 && dir[from - 1] != '/';)
		from--;
	snprintf(version, size, "%.*s", (int)(len - from), dir != NULL ? dir + from : "");
}

static int find_modules(const struct initramfs_plan *plan, char ***files, struct err *err)
{
	struct modules_dep *dep = NULL;
	int ret;

	if (plan->modules_dir == NULL)
		return 0;
	ret = modules_dep_read(plan->modules_dir, &dep, err);
	if (ret == 0)
		ret = modules_dep_order(dep, plan->modules, files, err);
	modules_dep_free(dep);
	return ret < 0 ? err_wrap(err, ret, "modules in %s", plan->modules_dir) : 0;
}

/* --- the cache ------------------------------------------------------------------------------- */

static int make_directories(const char *path, struct err *err)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", path);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return err_errno(err, errno, "cannot create the directory %s", part);
	}
	return 0;
}

static int open_cache(const char *path, struct err *err)
{
	int ret = make_directories(path, err);
	int fd;

	if (ret < 0)
		return ret;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "cannot open %s", path) : fd;
}

static int lock(int dir, const char *path, struct err *err)
{
	int ret;

	do {
		ret = flock(dir, LOCK_EX);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? err_errno(err, errno, "cannot lock %s", path) : 0;
}

/* A file of another length is a disk's or a crash's doing: it is made anew. */
static bool is_cached(int dir, const char *name, uint64_t len)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == len;
}

static void name_archive(const struct initramfs_plan *plan, const char *digest, char *name)
{
	char version[128];

	version_of(plan->modules_dir, version, sizeof(version));
	snprintf(name, NAME_SIZE, "%s%s%s.cpio", version, version[0] != '\0' ? "_" : "", digest);
}

/* Under the lock. *name becomes what it is called in the end. */
static int create(const struct initramfs_plan *plan, char *const *modules, int dir, char *name,
	struct err *err)
{
	cleanup_close int fd =
		openat(dir, NEW_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	char digest[CPIO_DIGEST_TEXT];
	uint64_t len;
	int ret;

	if (fd < 0)
		return err_errno(err, errno, "cannot create %s", NEW_FILE);
	ret = write_archive(plan, modules, fd, digest, &len, err);
	if (ret == 0 && fsync(fd) < 0)
		ret = err_errno(err, errno, "cannot write the archive");
	if (ret == 0) {
		name_archive(plan, digest, name);
		if (renameat(dir, NEW_FILE, dir, name) < 0)
			ret = err_errno(err, errno, "cannot rename the archive");
	}
	if (ret < 0)
		unlinkat(dir, NEW_FILE, 0);
	return ret;
}

/* The name of an archive that is there afterwards. */
static int get_name(
	const struct initramfs_plan *plan, char *const *modules, char *name, struct err *err)
{
	cleanup_close int dir = open_cache(plan->cache_dir, err);
	char digest[CPIO_DIGEST_TEXT];
	uint64_t len = 0;
	int ret = dir < 0 ? dir : write_archive(plan, modules, -1, digest, &len, err);

	if (ret < 0)
		return ret;
	name_archive(plan, digest, name);
	if (is_cached(dir, name, len))
		return 0;
	ret = lock(dir, plan->cache_dir, err);
	if (ret < 0 || is_cached(dir, name, len))
		return ret;
	ret = create(plan, modules, dir, name, err);
	return ret < 0 ? err_wrap(err, ret, "%s", plan->cache_dir) : 0;
}

int initramfs_get(const struct initramfs_plan *plan, char **path, struct err *err)
{
	cleanup_free char **modules = NULL;
	char name[NAME_SIZE];
	int ret = find_modules(plan, &modules, err);

	if (ret == 0)
		ret = get_name(plan, modules, name, err);
	if (ret < 0)
		return err_wrap(err, ret, "cannot make the guest's initramfs");
	if (asprintf(path, "%s/%s", plan->cache_dir, name) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}
