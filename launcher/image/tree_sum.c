/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/tree_sum.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "launcher/image/sparse_walk.h"
#include "lib/cleanup.h"

#define READ_SIZE       (256 * 1024)
#define XATTR_MAX       65536 /* XATTR_LIST_MAX, XATTR_SIZE_MAX */
#define FAST_LINK_MAX   59    /* longer targets take a block */
#define INODE_XATTR_MAX 64    /* what is sure to fit into an inode of 256 bytes */

/* A file that has several names. */
struct shared {
	dev_t dev;
	ino_t ino;
	uint64_t index;
};

struct walk {
	EVP_MD_CTX *content, *state;
	struct tree_sum *sum;
	bool read_files, broken;
	void *shared; /* tsearch(3) */
	uint64_t n_shared;
	uint8_t *buffer; /* READ_SIZE */
	struct err *err;
};

/* --- adding to the sums ---------------------------------------------------------------------- */

static void add(struct walk *w, EVP_MD_CTX *md, const void *data, size_t len)
{
	if (EVP_DigestUpdate(md, data, len) != 1)
		w->broken = true;
}

/* Every field is as long as it says, so that no two trees are the same row of bytes. */
static void add_bytes(struct walk *w, const void *data, size_t len)
{
	uint64_t n = len;

	add(w, w->content, &n, sizeof(n));
	add(w, w->content, data, len);
}

static void add_numbers(struct walk *w, EVP_MD_CTX *md, const uint64_t *numbers, size_t n)
{
	add(w, md, numbers, n * sizeof(*numbers));
}

static void add_stat(struct walk *w, const struct stat *st)
{
	const bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
	const uint64_t content[] = { st->st_mode, st->st_uid, st->st_gid, device ? st->st_rdev : 0,
		(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec };
	const uint64_t state[] = { st->st_mode, st->st_dev, st->st_ino, (uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec };

	add_numbers(w, w->content, content, sizeof(content) / sizeof(content[0]));
	add_numbers(w, w->state, state, sizeof(state) / sizeof(state[0]));
	w->sum->n_inodes++;
}

static uint64_t blocks_of(uint64_t bytes)
{
	return (bytes + TREE_BLOCK - 1) / TREE_BLOCK;
}

/* --- extended attributes --------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_xattr(struct walk *w, const char *path, const char *name, size_t *total)
{
	ssize_t len = lgetxattr(path, name, w->buffer, XATTR_MAX);

	if (len < 0)
		return -errno;
	add_bytes(w, name, strlen(name));
	add_bytes(w, w->buffer, (size_t)len);
	*total += strlen(name) + (size_t)len;
	return 0;
}

/* In the order of their names; `list` is as llistxattr(2) has it. */
static int add_xattrs_of(struct walk *w, const char *path, char *list, size_t len, size_t n)
{
	cleanup_free char **names = malloc((n + 1) * sizeof(*names));
	size_t total = 0;
	int ret = 0;

	if (names == NULL)
		return -ENOMEM;
	n = 0;
	for (size_t at = 0; at < len; at += strlen(list + at) + 1)
		names[n++] = list + at;
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = add_xattr(w, path, names[i], &total);
	w->sum->n_blocks += total > INODE_XATTR_MAX ? blocks_of(total) : 0;
	return ret;
}

static int add_xattrs(struct walk *w, int dir, const char *name)
{
	cleanup_free char *list = NULL;
	cleanup_free char *path = NULL;
	uint64_t n = 0;
	ssize_t len;

	if (asprintf(&path, "/proc/self/fd/%d/%s", dir, name) < 0)
		return -ENOMEM;
	list = malloc(XATTR_MAX);
	if (list == NULL)
		return -ENOMEM;
	len = llistxattr(path, list, XATTR_MAX);
	if (len < 0 && errno != ENOTSUP)
		return -errno;
	for (ssize_t i = 0; i < len; i++)
		n += list[i] == '\0';
	add_numbers(w, w->content, &n, 1);
	return n > 0 ? add_xattrs_of(w, path, list, (size_t)len, n) : 0;
}

/* --- files ----------------------------------------------------------------------------------- */

/* From `at` up to `end`, which may have come nearer since we were told of it. */
static int add_data(void *arg, int fd, off_t at, off_t end)
{
	struct walk *w = arg;
	const uint64_t where[] = { (uint64_t)at, (uint64_t)(end - at) };

	add_numbers(w, w->content, where, 2);
	w->sum->n_blocks += blocks_of((uint64_t)(end - at)) + 1;
	while (at < end) {
		size_t want = end - at < READ_SIZE ? (size_t)(end - at) : READ_SIZE;
		ssize_t n = pread(fd, w->buffer, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBUSY;
		add(w, w->content, w->buffer, (size_t)n);
		at += n;
	}
	return 0;
}

static int add_contents(struct walk *w, int fd, off_t size)
{
	const uint64_t n = (uint64_t)size;

	add_numbers(w, w->content, &n, 1);
	return sparse_walk(fd, size, add_data, w);
}

static int add_file(struct walk *w, int dir, const char *name, const struct stat *st)
{
	cleanup_close int fd = -1;
	struct stat now;

	if (!w->read_files)
		return 0;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &now) < 0)
		return -errno;
	if (now.st_ino != st->st_ino || !S_ISREG(now.st_mode))
		return -EBUSY;
	return add_contents(w, fd, now.st_size);
}

static int add_link(struct walk *w, int dir, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir, name, target, sizeof(target));

	if (len < 0)
		return -errno;
	add_bytes(w, target, (size_t)len);
	w->sum->n_blocks += len > FAST_LINK_MAX;
	return 0;
}

static int compare_shared(const void *a, const void *b)
{
	const struct shared *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* 1: another name of it was there before; 0; -ENOMEM. Which it is goes into the sum. */
static int add_shared(struct walk *w, const struct stat *st)
{
	struct shared *new = malloc(sizeof(*new)), **found;
	bool seen;

	if (new == NULL)
		return -ENOMEM;
	*new = (struct shared) { .dev = st->st_dev, .ino = st->st_ino, .index = w->n_shared };
	found = tsearch(new, &w->shared, compare_shared);
	seen = found != NULL && *found != new;
	if (found == NULL || seen)
		free(new);
	if (found == NULL)
		return -ENOMEM;
	w->n_shared += !seen;
	add_numbers(w, w->content, &(*found)->index, 1);
	return seen;
}

/* --- directories ----------------------------------------------------------------------------- */

static int add_directory(struct walk *w, int fd, unsigned depth);

static int add_subdirectory(struct walk *w, int dir, const char *name, unsigned depth)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : add_directory(w, fd, depth);
}

static int add_named(struct walk *w, int dir, const char *name, unsigned depth)
{
	struct stat st;
	int ret;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	add_bytes(w, name, strlen(name));
	add_stat(w, &st);
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
		ret = add_shared(w, &st);
		if (ret != 0)
			return ret < 0 ? ret : 0;
	}
	ret = add_xattrs(w, dir, name);
	if (ret < 0)
		return ret;
	if (S_ISDIR(st.st_mode))
		return add_subdirectory(w, dir, name, depth + 1);
	if (S_ISREG(st.st_mode))
		return add_file(w, dir, name, &st);
	return S_ISLNK(st.st_mode) ? add_link(w, dir, name) : 0;
}

/* The first failure is named, whatever it is wrapped in on the way up. */
static int add_entry(struct walk *w, int dir, const char *name, unsigned depth)
{
	int ret = add_named(w, dir, name, depth);

	if (ret == 0 || w->err == NULL)
		return ret;
	if (w->err->text[0] == '\0')
		return err_errno(w->err, -ret, "%s", name);
	return err_set(w->err, ret, "%s/%s", name, w->err->text);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Takes fd over. */
static int add_directory(struct walk *w, int fd, unsigned depth)
{
	cleanup_close int dir = fd;
	cleanup_free struct dirent **entries = NULL;
	int n = depth > TREE_DEPTH_MAX ? -1
				       : scandirat(dir, ".", &entries, is_entry, compare_entries);
	const uint64_t count = (uint64_t)n;
	uint64_t bytes = 0;
	int ret = 0;

	if (n < 0)
		return depth > TREE_DEPTH_MAX ? -ELOOP : -errno;
	add_numbers(w, w->content, &count, 1);
	for (int i = 0; i < n; i++) {
		bytes += 12 + strlen(entries[i]->d_name);
		if (ret == 0)
			ret = add_entry(w, dir, entries[i]->d_name, depth);
		free(entries[i]);
	}
	/* Blocks of an indexed directory are half full. */
	w->sum->n_blocks += 1 + 2 * blocks_of(bytes);
	return ret;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int add_tree(struct walk *w, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = fstat(fd, &st) < 0 ? -errno : add_xattrs(w, fd, ".");
	if (ret < 0) {
		close(steal_fd(&fd));
		return ret;
	}
	add_stat(w, &st);
	w->sum->uid = st.st_uid;
	w->sum->gid = st.st_gid;
	w->sum->mode = st.st_mode & 07777;
	return add_directory(w, fd, 0);
}

static int finish(struct walk *w)
{
	if (w->broken || EVP_DigestFinal_ex(w->content, w->sum->content, NULL) != 1 ||
		EVP_DigestFinal_ex(w->state, w->sum->state, NULL) != 1)
		return -EIO;
	return 0;
}

int tree_sum(const char *path, bool read_files, struct tree_sum *sum, struct err *err)
{
	struct walk w = { .sum = sum, .read_files = read_files, .err = err };
	int ret = -ENOMEM;

	*sum = (struct tree_sum) { .n_blocks = 0 };
	if (err != NULL)
		err->text[0] = '\0';
	w.content = EVP_MD_CTX_new();
	w.state = EVP_MD_CTX_new();
	w.buffer = malloc(READ_SIZE);
	if (w.content != NULL && w.state != NULL && w.buffer != NULL &&
		EVP_DigestInit_ex(w.content, EVP_sha256(), NULL) == 1 &&
		EVP_DigestInit_ex(w.state, EVP_sha256(), NULL) == 1)
		ret = add_tree(&w, path);
	if (ret == 0)
		ret = finish(&w);
	tdestroy(w.shared, free);
	free(w.buffer);
	EVP_MD_CTX_free(w.content);
	EVP_MD_CTX_free(w.state);
	if (ret == 0)
		return 0;
	if (err == NULL || err->text[0] == '\0')
		return err_errno(err, -ret, "cannot read %s", path);
	return err_set(err, ret, "cannot read %s/%s", path, err->text);
}
