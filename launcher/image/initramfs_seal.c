/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/image/cpio.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define CHUNK (1U << 30)

/* The cache is often on another file system than what a VM boots from, where there is no
 * copy_file_range(2). */
static ssize_t copy_some(int from, int to, bool *within)
{
	if (*within) {
		ssize_t n = copy_file_range(from, NULL, to, NULL, CHUNK, 0);

		if (n >= 0 || errno == EINTR)
			return n;
		*within = false;
	}
	return sendfile(to, from, NULL, CHUNK);
}

static int copy(int from, int to, uint64_t len)
{
	bool within = true;
	uint64_t done = 0;

	for (;;) {
		ssize_t n = copy_some(from, to, &within);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return done == len ? 0 : -EIO;
		done += (uint64_t)n;
	}
}

/* The archive, and zeros up to where a segment may begin. */
static int copy_archive(const char *archive, int to, struct err *err)
{
	static const char zeros[CPIO_ALIGN];
	cleanup_close int from = open(archive, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t beyond;
	int ret;

	if (from < 0 || fstat(from, &st) < 0)
		return err_errno(err, errno, "cannot open %s", archive);
	ret = copy(from, to, (uint64_t)st.st_size);
	beyond = (size_t)st.st_size % CPIO_ALIGN;
	if (ret == 0 && beyond != 0)
		ret = whole_file_write_fd(to, zeros, CPIO_ALIGN - beyond);
	return ret < 0 ? err_errno(err, -ret, "cannot copy %s", archive) : 0;
}

/* Whether one of the first n files is in the directory that `path` begins with. */
static bool has_directory(
	const struct initramfs_file *files, size_t n, const char *path, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(files[i].path, path, len) == 0 && files[i].path[len] == '/')
			return true;
	return false;
}

static int add_directories(
	struct cpio *cpio, const struct initramfs_file *files, size_t at, struct err *err)
{
	const char *path = files[at].path;
	char part[PATH_MAX];
	int ret = 0;

	for (size_t i = 0; ret == 0 && path[i] != '\0' && i < sizeof(part); i++) {
		if (path[i] == '/' && !has_directory(files, at, path, i)) {
			part[i] = '\0';
			ret = cpio_add(cpio,
				&(struct cpio_entry) {
					.path = part, .mode = S_IFDIR | 0700, .fd = -1 },
				err);
		}
		part[i] = path[i];
	}
	return ret;
}

static int add_files(
	struct cpio *cpio, const struct initramfs_file *files, size_t n_files, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < n_files; i++) {
		const struct cpio_entry entry = { .path = files[i].path,
			.mode = S_IFREG | 0600,
			.data = files[i].len > 0 ? files[i].data : "",
			.fd = -1,
			.len = files[i].len };

		ret = add_directories(cpio, files, i, err);
		if (ret == 0)
			ret = cpio_add(cpio, &entry, err);
	}
	return ret == 0 ? cpio_finish(cpio, NULL, NULL, err) : ret;
}

int initramfs_seal_fd(const char *archive, const struct initramfs_file *files, size_t n_files,
	int fd, struct err *err)
{
	struct cpio *cpio = NULL;
	int ret = copy_archive(archive, fd, err);

	if (ret == 0)
		ret = cpio_open(fd, &cpio, err);
	if (ret == 0)
		ret = add_files(cpio, files, n_files, err);
	cpio_free(cpio);
	return ret;
}

int initramfs_seal(const char *archive, const struct initramfs_file *files, size_t n_files,
	const char *path, struct err *err)
{
	cleanup_close int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int ret;

	if (fd < 0)
		return err_errno(err, errno, "cannot create %s", path);
	ret = initramfs_seal_fd(archive, files, n_files, fd, err);
	if (ret < 0)
		unlink(path);
	return ret < 0 ? err_wrap(err, ret, "%s", path) : 0;
}
