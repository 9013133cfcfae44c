/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/machine_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define DIRS_MAX 64

static bool is_one_of(const char *const *words, const char *word)
{
	while (*words != NULL && strcmp(*words, word) != 0)
		words++;
	return *words != NULL;
}

/* Ours in the machine root, whatever an image has there. */
static bool is_skeleton(const char *name)
{
	static const char *const names[] = { ".", "..", "usr", "etc", "proc", "sys", "dev", "run",
		"tmp", "var", "sluice", NULL };

	return is_one_of(names, name);
}

static bool is_link_of_usr(const char *name)
{
	static const char *const names[] = { "bin", "sbin", "lib", "lib32", "lib64", NULL };

	return is_one_of(names, name);
}

static bool is_directory(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int add_dir(struct machine_parts *parts, size_t *n, const char *name, struct err *err)
{
	if (*n == DIRS_MAX)
		return err_set(err, -E2BIG, "more than %d directories", DIRS_MAX);
	parts->dirs[*n] = strdup(name);
	if (parts->dirs[*n] == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	++*n;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_dirs(DIR *dir, struct machine_parts *parts, struct err *err)
{
	const struct dirent *entry;
	size_t n = 0;
	int ret = 0;

	parts->dirs = calloc(DIRS_MAX + 1, sizeof(*parts->dirs));
	if (parts->dirs == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	while (ret == 0 && (entry = readdir(dir)) != NULL) {
		if (is_skeleton(entry->d_name) || !is_directory(dirfd(dir), entry->d_name))
			continue;
		if (is_link_of_usr(entry->d_name))
			return err_set(err, -ENOTSUP, "/%s is no link to usr/%s (a merged /usr)",
				entry->d_name, entry->d_name);
		ret = add_dir(parts, &n, entry->d_name, err);
	}
	qsort(parts->dirs, n, sizeof(*parts->dirs), by_name);
	return ret;
}

static int find_image(const char *image, struct machine_parts *parts, struct err *err)
{
	DIR *dir = opendir(image);
	int ret;

	if (dir == NULL)
		return err_errno(err, errno, "machine-root: %s", image);
	parts->cache = faccessat(dirfd(dir), "etc/ld.so.cache", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	parts->alternatives = is_directory(dirfd(dir), "etc/alternatives");
	ret = is_directory(dirfd(dir), "usr") ? list_dirs(dir, parts, err)
					      : err_set(err, -ENOENT, "has no directory usr");
	closedir(dir);
	return ret < 0 ? err_wrap(err, ret, "machine-root: %s", image) : 0;
}

int machine_parts_find(const char *image, struct machine_parts *parts, struct err *err)
{
	int ret = 0;

	*parts = (struct machine_parts) {
		.cache = access("/etc/ld.so.cache", F_OK) == 0,
		.alternatives = is_directory(AT_FDCWD, "/etc/alternatives"),
		.config = is_directory(AT_FDCWD, "/etc/sluice"),
		.kvm = access("/dev/kvm", F_OK) == 0,
		.tun = access("/dev/net/tun", F_OK) == 0,
	};
	if (image[0] != '\0')
		ret = find_image(image, parts, err);
	if (ret < 0)
		machine_parts_free(parts);
	return ret;
}

void machine_parts_free(struct machine_parts *parts)
{
	for (char **dir = parts->dirs; dir != NULL && *dir != NULL; dir++)
		free(*dir);
	free(parts->dirs);
	*parts = (struct machine_parts) { .dirs = NULL };
}
