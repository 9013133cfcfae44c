/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A directory is read a batch at a time, and read again from its beginning for as long as a pass
 * removed something: what is left then cannot be removed. readdir(3) allocates, hence getdents64.
 */

#include "launcher/process/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* getdents64(2) */
struct entry {
	uint64_t inode;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

#define BATCH_SIZE 1024

static int remove_at(int dir, const char *name, unsigned depth);

static bool is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* Keeps the first error in *first; returns how many are gone. */
static unsigned remove_batch(int dir, const char *batch, size_t len, unsigned depth, int *first)
{
	unsigned n = 0;

	for (size_t at = 0; at < len;) {
		const struct entry *entry = (const void *)(batch + at);
		int ret = is_dot(entry->name) ? -EEXIST : remove_at(dir, entry->name, depth + 1);

		if (ret == 0)
			n++;
		else if (*first == 0 && ret != -EEXIST)
			*first = ret;
		at += entry->len;
	}
	return n;
}

/* One pass over the directory: how many of its entries are gone, or negative errno. */
static int remove_pass(int dir, unsigned depth, int *first)
{
	_Alignas(struct entry) char batch[BATCH_SIZE];
	unsigned n = 0;
	long len;

	if (lseek(dir, 0, SEEK_SET) < 0)
		return -errno;
	while ((len = syscall(SYS_getdents64, dir, batch, sizeof(batch))) > 0)
		n += remove_batch(dir, batch, len, depth, first);
	return len < 0 ? -errno : (int)n;
}

static int empty(int dir, unsigned depth)
{
	int first, n;

	do {
		first = 0;
		n = remove_pass(dir, depth, &first);
	} while (n > 0);
	return n < 0 ? n : first;
}

static int remove_directory(int parent, const char *name, unsigned depth)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		/* The path that we were given may well lead through mounts; what is below may not.
		 */
		.resolve = depth == 0 ? 0 : RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};
	cleanup_close int dir = -1;
	int ret;

	if (depth > REMOVE_TREE_DEPTH_MAX)
		return -ELOOP;
	dir = syscall(SYS_openat2, parent, name, &how, sizeof(how));
	if (dir < 0)
		return -errno;
	ret = empty(dir, depth);
	if (ret < 0)
		return ret;
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

static int remove_at(int dir, const char *name, unsigned depth)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* Linux says EISDIR, POSIX EPERM. */
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	return remove_directory(dir, name, depth);
}

int remove_tree(const char *path)
{
	return remove_at(AT_FDCWD, path, 0);
}
