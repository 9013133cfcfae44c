/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/initramfs_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX     ".cpio"
#define SUFFIX_LEN strlen(SUFFIX)
#define HASH_LEN   (INITRAMFS_HASH_TEXT - 1)

/* "6.1.0-13-amd64_<hash>.cpio", or without modules "<hash>.cpio". */
int initramfs_name_parse(const char *name, struct initramfs_archive *archive)
{
	size_t len = strlen(name), version_len;
	const char *hash;

	if (len < HASH_LEN + SUFFIX_LEN || strcmp(name + len - SUFFIX_LEN, SUFFIX) != 0)
		return -EINVAL;
	hash = name + len - SUFFIX_LEN - HASH_LEN;
	version_len = (size_t)(hash - name);
	if (strspn(hash, "0123456789abcdef") != HASH_LEN || version_len == 1 ||
		version_len > INITRAMFS_VERSION_MAX || (version_len > 0 && hash[-1] != '_'))
		return -EINVAL;
	*archive = (struct initramfs_archive) { .len = 0 };
	memcpy(archive->hash, hash, HASH_LEN);
	if (version_len > 0)
		memcpy(archive->kernel, name, version_len - 1);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct initramfs_archive *x = a, *y = b;

	if (x->made != y->made)
		return x->made < y->made ? 1 : -1;
	return strcmp(x->hash, y->hash);
}

/* Room for one more is made first. What is no archive, or gone meanwhile, is left out. */
static int add(int dir, const char *name, struct initramfs_archive **archives, size_t *n)
{
	struct initramfs_archive *more, archive;
	struct stat st;

	if (initramfs_name_parse(name, &archive) < 0 ||
		fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	more = reallocarray(*archives, *n + 1, sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	*archives = more;
	archive.len = (uint64_t)st.st_size;
	archive.made = st.st_mtim.tv_sec;
	more[(*n)++] = archive;
	return 0;
}

int initramfs_list(
	const char *cache_dir, struct initramfs_archive **archives, size_t *n, struct err *err)
{
	DIR *dir = opendir(cache_dir);
	struct dirent *entry;
	int ret = 0;

	*archives = NULL;
	*n = 0;
	if (dir == NULL && errno == ENOENT)
		return 0;
	if (dir == NULL)
		return err_errno(err, errno, "cannot open %s", cache_dir);
	while (ret == 0 && (entry = readdir(dir)) != NULL)
		ret = add(dirfd(dir), entry->d_name, archives, n);
	closedir(dir);
	if (ret < 0) {
		free(*archives);
		*archives = NULL;
		return err_errno(err, -ret, "cannot list %s", cache_dir);
	}
	if (*n > 0)
		qsort(*archives, *n, sizeof(**archives), compare);
	return 0;
}
