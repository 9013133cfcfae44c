/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The tree is summed up before; afterwards it must not have changed, or else the image would be
 * cached under the sum of something else.
 */

#include "launcher/image/ext4_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "launcher/image/cache_file.h"
#include "launcher/image/sparse_copy.h"
#include "launcher/image/tree_sum.h"
#include "launcher/process/capability.h"
#include "launcher/process/command.h"
#include "lib/cleanup.h"

#define MIB       (UINT64_C(1) << 20)
#define TEXT_SIZE 4096
#define HEX_LEN   (2 * TREE_SUM_LEN)

#define INODE_SIZE 256
#define INODE_SLACK                                                                                \
	1024 /* of those that a writer may add; one for every 16 KiB of free room too              \
	      */
#define SIZE_MIN (8 * MIB)

static char *hex(const uint8_t *bytes, size_t n, char *text)
{
	for (size_t i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return text;
}

/* --- how large ------------------------------------------------------------------------------- */

struct extent {
	uint64_t n_inodes;
	uint64_t used; /* bytes that the tree takes, and what ext4 needs to keep it */
	uint64_t size; /* of the image */
};

static struct extent extent_of(const struct tree_sum *sum, unsigned free_mib)
{
	uint64_t free = free_mib * MIB;
	struct extent e = { .n_inodes = sum->n_inodes + INODE_SLACK + free / 16384 };
	uint64_t data = sum->n_blocks * TREE_BLOCK + e.n_inodes * INODE_SIZE;

	/* Block maps, group descriptors, directories' growth. */
	e.used = data + data / 20 + 2 * MIB;
	e.size = e.used + free + free / 20;
	e.size = (e.size > SIZE_MIN ? e.size : SIZE_MIN) + MIB - 1;
	e.size -= e.size % MIB;
	return e;
}

static uint64_t room_in(const char *dir)
{
	struct statvfs st;

	return statvfs(dir, &st) == 0 ? (uint64_t)st.f_bavail * st.f_frsize : UINT64_MAX;
}

static int no_room(const char *dir, const struct extent *e, struct err *err)
{
	return err_set(err, -ENOSPC,
		"no space left in %s for the image: it takes %" PRIu64
		" MiB, and there are %" PRIu64 " MiB",
		dir, e->used / MIB + 1, room_in(dir) / MIB);
}

/* --- making it ------------------------------------------------------------------------------- */

/* Of the same tree it is the same bytes: what mke2fs would choose at random comes from the sum. */
static void uuid_of(const struct tree_sum *sum, char *text)
{
	char h[HEX_LEN + 1];

	hex(sum->content, TREE_SUM_LEN, h);
	sprintf(text, "%.8s-%.4s-4%.3s-8%.3s-%.12s", h, h + 8, h + 12, h + 15, h + 18);
}

static int run_mke2fs(const struct ext4_plan *plan, const struct tree_sum *sum,
	const struct extent *e, const char *file, struct err *err)
{
	char uuid[40], extended[128], inodes[24], size[24], text[TEXT_SIZE];
	const char *const argv[] = { "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256",
		"-m", "0", "-O", "^has_journal,^resize_inode", "-N", inodes, "-U", uuid, "-E",
		extended, "-d", plan->tree, file, size, NULL };
	const struct command mke2fs = { .argv = (char *const *)argv,
		.capabilities = CAPABILITY(CAP_DAC_OVERRIDE), /* the tree is anybody's */
		.out = -1,
		.fd = -1 };
	int ret;

	uuid_of(sum, uuid);
	snprintf(extended, sizeof(extended), "hash_seed=%s,root_owner=%u:%u", uuid, sum->uid,
		sum->gid);
	snprintf(inodes, sizeof(inodes), "%" PRIu64, e->n_inodes);
	snprintf(size, sizeof(size), "%" PRIu64 "k", e->size / 1024);
	ret = command_must(&mke2fs, text, sizeof(text), err);
	if (ret == -EIO &&
		(strstr(text, "No space left") != NULL || room_in(plan->cache_dir) < MIB))
		return no_room(plan->cache_dir, e, err);
	return ret == -ENOENT ? err_wrap(err, ret, "package e2fsprogs") : ret;
}

/* The one thing that mke2fs does not take over from the tree. */
static int set_root_mode(const struct tree_sum *sum, const char *file, struct err *err)
{
	char request[64], text[TEXT_SIZE];
	const char *const argv[] = { "debugfs", "-w", "-R", request, file, NULL };
	const struct command debugfs = { .argv = (char *const *)argv, .out = -1, .fd = -1 };

	snprintf(request, sizeof(request), "set_inode_field / mode 04%04o", sum->mode);
	return sum->mode == 0755 ? 0 : command_must(&debugfs, text, sizeof(text), err);
}

static int check_unchanged(
	const struct ext4_plan *plan, const struct tree_sum *sum, struct err *err)
{
	struct tree_sum now;
	int ret = tree_sum(plan->tree, false, &now, err);

	if (ret < 0)
		return ret;
	if (memcmp(now.state, sum->state, TREE_SUM_LEN) != 0)
		return err_set(err, -EBUSY, "it was changed while the image was made");
	return 0;
}

static int fill(
	const struct ext4_plan *plan, const struct tree_sum *sum, const char *file, struct err *err)
{
	struct extent e = extent_of(sum, plan->free_mib);
	int ret;

	if (room_in(plan->cache_dir) < e.used)
		return no_room(plan->cache_dir, &e, err);
	ret = run_mke2fs(plan, sum, &e, file, err);
	if (ret == 0)
		ret = set_root_mode(sum, file, err);
	if (ret == 0)
		ret = check_unchanged(plan, sum, err);
	return ret;
}

/* --- the cache ------------------------------------------------------------------------------- */

static int make(
	const struct ext4_plan *plan, const struct tree_sum *sum, const char *path, struct err *err)
{
	cleanup_free char *file = NULL;
	cleanup_close int fd = -1;
	int ret;

	fd = cache_file_new(plan->cache_dir, &file, err);
	if (fd < 0)
		return fd;
	ret = fill(plan, sum, file, err);
	if (ret == 0 && (fchmod(fd, 0400) < 0 || rename(file, path) < 0))
		ret = err_errno(err, errno, "cannot make %s", path);
	if (ret < 0)
		unlink(file);
	return ret;
}

static int get(const struct ext4_plan *plan, char **path, struct err *err)
{
	cleanup_free char *image = NULL;
	struct tree_sum sum;
	char h[HEX_LEN + 1];
	int ret;

	if (mkdir(plan->cache_dir, 0755) < 0 && errno != EEXIST)
		return err_errno(err, errno, "cannot make the directory %s", plan->cache_dir);
	ret = tree_sum(plan->tree, true, &sum, err);
	if (ret < 0)
		return ret;
	if (asprintf(&image, "%s/ext4-%s-%u.img", plan->cache_dir,
		    hex(sum.content, TREE_SUM_LEN, h), plan->free_mib) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (access(image, F_OK) < 0)
		ret = make(plan, &sum, image, err);
	if (ret == 0)
		*path = steal_ptr(&image);
	return ret;
}

int ext4_image_get(const struct ext4_plan *plan, char **path, struct err *err)
{
	int ret = get(plan, path, err);

	return ret < 0 ? err_wrap(err, ret, "cannot make an ext4 image of %s", plan->tree) : 0;
}

/* --- what is done with it -------------------------------------------------------------------- */

int ext4_image_copy(const char *image, const char *path, struct err *err)
{
	cleanup_close int in = open(image, O_RDONLY | O_CLOEXEC), out = -1;
	int ret;

	if (in < 0)
		return err_errno(err, errno, "cannot open %s", image);
	out = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return err_errno(err, errno, "cannot make %s", path);
	ret = sparse_copy(in, out);
	if (ret == 0)
		return 0;
	unlink(path);
	return err_errno(err, -ret, "cannot copy %s to %s", image, path);
}

int ext4_image_list(const char *image, const char *path, int out, struct err *err)
{
	char request[PATH_MAX + 16], text[TEXT_SIZE];
	const char *const argv[] = { "debugfs", "-R", request, image, NULL };
	const struct command debugfs = { .argv = (char *const *)argv, .out = out, .fd = -1 };
	int ret;

	/* What debugfs would take for the end of the word. */
	if (path[0] != '/' || strpbrk(path, "\"\n\\") != NULL ||
		(size_t)snprintf(request, sizeof(request), "ls -l \"%s\"", path) >= sizeof(request))
		return err_set(err, -EINVAL, "\"%s\" is no path that can be asked for", path);
	ret = command_must(&debugfs, text, sizeof(text), err);
	if (ret == 0 && strstr(text, "File not found") != NULL)
		return err_set(err, -ENOENT, "there is no %s in %s", path, image);
	return ret;
}
