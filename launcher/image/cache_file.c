/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/cache_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define NEW_PREFIX ".new-"

static void remove_if_abandoned(int dir, const char *name)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(dir, name, 0);
}

static void remove_abandoned(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, NEW_PREFIX, strlen(NEW_PREFIX)) == 0)
			remove_if_abandoned(dirfd(dir), entry->d_name);
	closedir(dir);
}

/* Its name is written over `template`. It may have been taken for an abandoned one before it was
 * locked. */
static int make(char *template, struct err *err)
{
	cleanup_close int fd = mkostemp(template, O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_errno(err, errno, "cannot make %s", template);
	if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "cannot use %s", template);
	return st.st_nlink > 0 ? steal_fd(&fd) : err_set(err, -EAGAIN, "%s was removed", template);
}

int cache_file_new(const char *dir, char **path, struct err *err)
{
	cleanup_free char *file = NULL;
	int fd;

	if (asprintf(&file, "%s/" NEW_PREFIX "XXXXXX", dir) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	remove_abandoned(dir);
	fd = make(file, err);
	if (fd >= 0)
		*path = steal_ptr(&file);
	return fd;
}
