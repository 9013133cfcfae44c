/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/image_cache.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define HASH_LEN (IMAGE_HASH_TEXT - 1)
#define HEX      "0123456789abcdef"
#define WORD_MIN 4 /* digits of a hash that stand for it */

#define CPIO_MAGIC      "070701"
#define EXT4_MAGIC_AT   1080 /* the super block's 0x38 */
#define EXT4_MAGIC      "\x53\xef"
#define LOOKED_AT_BYTES (EXT4_MAGIC_AT + 2)

const char *image_kind_name(enum image_kind kind)
{
	static const char *const names[] = {
		[IMAGE_INITRAMFS] = "initramfs", [IMAGE_EXT4] = "ext4", [IMAGE_KERNEL] = "kernel"
	};

	return names[kind];
}

/* --- names ----------------------------------------------------------------------------------- */

/* What is behind the hash that `text` begins with; NULL: it begins with none. */
static const char *take_hash(const char *text, struct cached_image *image)
{
	if (strspn(text, HEX) < HASH_LEN)
		return NULL;
	memcpy(image->hash, text, HASH_LEN);
	return text + HASH_LEN;
}

/* "6.1.0-13-amd64_<hash>.cpio", or without modules "<hash>.cpio". */
static bool is_initramfs(const char *name, struct cached_image *image)
{
	static const char suffix[] = ".cpio";
	size_t len = strlen(name), version_len;
	const char *rest;

	if (len < HASH_LEN + strlen(suffix))
		return false;
	version_len = len - strlen(suffix) - HASH_LEN;
	rest = take_hash(name + version_len, image);
	if (rest == NULL || strcmp(rest, suffix) != 0 || version_len == 1 ||
		version_len > IMAGE_KERNEL_MAX || (version_len > 0 && name[version_len - 1] != '_'))
		return false;
	if (version_len > 0)
		memcpy(image->kernel, name, version_len - 1);
	image->kind = IMAGE_INITRAMFS;
	return true;
}

/* "ext4-<hash>-<MiB that are free in it>.img" */
static bool is_ext4(const char *name, struct cached_image *image)
{
	static const char prefix[] = "ext4-";
	const char *rest;
	size_t n;

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return false;
	rest = take_hash(name + strlen(prefix), image);
	if (rest == NULL || *rest != '-')
		return false;
	n = strspn(++rest, "0123456789");
	image->kind = IMAGE_EXT4;
	return n > 0 && strcmp(rest + n, ".img") == 0;
}

/* "vmlinux-<hash>" */
static bool is_kernel(const char *name, struct cached_image *image)
{
	static const char prefix[] = "vmlinux-";
	const char *rest;

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return false;
	rest = take_hash(name + strlen(prefix), image);
	image->kind = IMAGE_KERNEL;
	return rest != NULL && *rest == '\0';
}

int image_cache_parse(const char *name, struct cached_image *image)
{
	static bool (*const kinds[])(
		const char *, struct cached_image *) = { is_initramfs, is_ext4, is_kernel };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		*image = (struct cached_image) { .len = 0 };
		if (strlen(name) < sizeof(image->name) && kinds[i](name, image)) {
			strcpy(image->name, name);
			return 0;
		}
	}
	return -EINVAL;
}

/* --- the list -------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct cached_image *x = a, *y = b;

	if (x->made != y->made)
		return x->made < y->made ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* Room for one more is made first. What is no image, or gone meanwhile, is left out. */
static int add(int dir, const char *name, struct cached_image **images, size_t *n)
{
	struct cached_image *more, image;
	struct stat st;

	if (image_cache_parse(name, &image) < 0 ||
		fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	more = reallocarray(*images, *n + 1, sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	*images = more;
	image.len = (uint64_t)st.st_size;
	image.used = (uint64_t)st.st_blocks * 512;
	image.made = st.st_mtim.tv_sec;
	more[(*n)++] = image;
	return 0;
}

int image_cache_list(
	const char *cache_dir, struct cached_image **images, size_t *n, struct err *err)
{
	DIR *dir = opendir(cache_dir);
	struct dirent *entry;
	int ret = 0;

	*images = NULL;
	*n = 0;
	if (dir == NULL && errno == ENOENT)
		return 0;
	if (dir == NULL)
		return err_errno(err, errno, "cannot open %s", cache_dir);
	while (ret == 0 && (entry = readdir(dir)) != NULL)
		ret = add(dirfd(dir), entry->d_name, images, n);
	closedir(dir);
	if (ret < 0) {
		free(*images);
		*images = NULL;
		return err_errno(err, -ret, "cannot list %s", cache_dir);
	}
	if (*n > 0)
		qsort(*images, *n, sizeof(**images), compare);
	return 0;
}

/* --- one of them ----------------------------------------------------------------------------- */

static bool is_meant(const struct cached_image *image, const char *word)
{
	size_t len = strlen(word);

	return strcmp(image->name, word) == 0 ||
	       (len >= WORD_MIN && len <= HASH_LEN && memcmp(image->hash, word, len) == 0);
}

/* The one that is meant, of those in the list. */
static int choose(const struct cached_image *images, size_t n, const char *cache_dir,
	const char *word, const struct cached_image **chosen, struct err *err)
{
	*chosen = NULL;
	for (size_t i = 0; i < n; i++) {
		if (!is_meant(&images[i], word))
			continue;
		if (*chosen != NULL)
			return err_set(err, -EEXIST,
				"several images in %s begin with %.64s: say more of it", cache_dir,
				word);
		*chosen = &images[i];
	}
	if (*chosen == NULL)
		return err_set(err, -ENOENT,
			"there is no image %.64s in %s (a path has a '/' in it)", word, cache_dir);
	return 0;
}

int image_cache_find(const char *cache_dir, const char *word, char *path, struct err *err)
{
	cleanup_free struct cached_image *images = NULL;
	const struct cached_image *image = NULL;
	bool is_path = strchr(word, '/') != NULL;
	size_t n;
	int len, ret;

	if (!is_path) {
		ret = image_cache_list(cache_dir, &images, &n, err);
		if (ret == 0)
			ret = choose(images, n, cache_dir, word, &image, err);
		if (ret < 0)
			return ret;
	}
	len = is_path ? snprintf(path, PATH_MAX, "%s", word)
		      : snprintf(path, PATH_MAX, "%s/%s", cache_dir, image->name);
	return len < PATH_MAX ? 0 : err_set(err, -ENAMETOOLONG, "the path is too long");
}

int image_cache_look(const char *path, enum image_kind *kind, struct err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char bytes[LOOKED_AT_BYTES] = "";
	ssize_t n;

	if (fd < 0)
		return err_errno(err, errno, "cannot open %s", path);
	n = pread(fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		return err_errno(err, errno, "cannot read %s", path);
	if (memcmp(bytes, CPIO_MAGIC, strlen(CPIO_MAGIC)) == 0)
		*kind = IMAGE_INITRAMFS;
	else if (memcmp(bytes, ELFMAG, SELFMAG) == 0)
		*kind = IMAGE_KERNEL;
	else if (n == LOOKED_AT_BYTES &&
		 memcmp(bytes + EXT4_MAGIC_AT, EXT4_MAGIC, strlen(EXT4_MAGIC)) == 0)
		*kind = IMAGE_EXT4;
	else
		return err_set(
			err, -EINVAL, "%s is neither an ext4 image nor an initramfs archive", path);
	return 0;
}
