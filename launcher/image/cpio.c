/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/cpio.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "lib/whole_file.h"

#define HEADER_LEN  110 /* the magic and 13 numbers of 8 digits */
#define BUFFER_SIZE (128U << 10)

struct cpio {
	int fd; /* -1: none */
	EVP_MD_CTX *hash;
	uint64_t len;
	uint32_t n_entries;
	size_t n_buffered;
	unsigned char buffer[BUFFER_SIZE];
};

int cpio_open(int fd, struct cpio **out, struct err *err)
{
	struct cpio *cpio = malloc(sizeof(*cpio));

	if (cpio == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	cpio->fd = fd;
	cpio->len = 0;
	cpio->n_entries = 0;
	cpio->n_buffered = 0;
	cpio->hash = EVP_MD_CTX_new();
	if (cpio->hash == NULL || EVP_DigestInit_ex(cpio->hash, EVP_sha256(), NULL) != 1) {
		cpio_free(cpio);
		return err_set(err, -ENOMEM, "cannot set up SHA-256");
	}
	*out = cpio;
	return 0;
}

void cpio_free(struct cpio *cpio)
{
	if (cpio == NULL)
		return;
	EVP_MD_CTX_free(cpio->hash);
	free(cpio);
}

static int flush(struct cpio *cpio, struct err *err)
{
	int ret = 0;

	if (EVP_DigestUpdate(cpio->hash, cpio->buffer, cpio->n_buffered) != 1)
		return err_set(err, -EIO, "cannot compute SHA-256");
	if (cpio->fd >= 0)
		ret = whole_file_write_fd(cpio->fd, cpio->buffer, cpio->n_buffered);
	if (ret < 0)
		return err_errno(err, -ret, "cannot write the archive");
	cpio->len += cpio->n_buffered;
	cpio->n_buffered = 0;
	return 0;
}

static int put(struct cpio *cpio, const void *data, size_t len, struct err *err)
{
	const unsigned char *at = data;
	int ret = 0;

	while (ret == 0 && len > 0) {
		size_t room = BUFFER_SIZE - cpio->n_buffered;
		size_t n = len < room ? len : room;

		memcpy(cpio->buffer + cpio->n_buffered, at, n);
		cpio->n_buffered += n;
		at += n;
		len -= n;
		if (cpio->n_buffered == BUFFER_SIZE)
			ret = flush(cpio, err);
	}
	return ret;
}

static int pad(struct cpio *cpio, struct err *err)
{
	static const char zeros[CPIO_ALIGN];
	size_t beyond = (cpio->len + cpio->n_buffered) % CPIO_ALIGN;

	return beyond == 0 ? 0 : put(cpio, zeros, CPIO_ALIGN - beyond, err);
}

/* A header has an inode number of its own for every entry: equal ones would be hard links. */
static int put_header(struct cpio *cpio, const struct cpio_entry *entry, struct err *err)
{
	char header[HEADER_LEN + 1];
	size_t name_size = strlen(entry->path) + 1;
	int ret;

	snprintf(header, sizeof(header),
		"070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++cpio->n_entries,
		(unsigned)entry->mode, (unsigned)entry->uid, (unsigned)entry->gid,
		S_ISDIR(entry->mode) ? 2U : 1U, (unsigned)entry->mtime, (unsigned)entry->len, 0U,
		0U, major(entry->rdev), minor(entry->rdev), (unsigned)name_size, 0U);
	ret = put(cpio, header, HEADER_LEN, err);
	if (ret == 0)
		ret = put(cpio, entry->path, name_size, err);
	return ret == 0 ? pad(cpio, err) : ret;
}

static int put_from_fd(struct cpio *cpio, const struct cpio_entry *entry, struct err *err)
{
	uint64_t left = entry->len;
	int ret = 0;

	while (ret == 0 && left > 0) {
		size_t room = BUFFER_SIZE - cpio->n_buffered;
		ssize_t n = read(entry->fd, cpio->buffer + cpio->n_buffered,
			left < room ? (size_t)left : room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "cannot read %s", entry->path);
		if (n == 0)
			return err_set(
				err, -EIO, "%s became shorter while it was read", entry->path);
		cpio->n_buffered += (size_t)n;
		left -= (uint64_t)n;
		if (cpio->n_buffered == BUFFER_SIZE)
			ret = flush(cpio, err);
	}
	return ret;
}

int cpio_add(struct cpio *cpio, const struct cpio_entry *entry, struct err *err)
{
	int ret;

	if (strlen(entry->path) >= PATH_MAX || (S_ISLNK(entry->mode) && entry->len >= PATH_MAX))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long for an initramfs",
			entry->path);
	if (entry->len > UINT32_MAX)
		return err_set(
			err, -EFBIG, "%s: 4 GiB or more do not fit into an initramfs", entry->path);
	ret = put_header(cpio, entry, err);
	if (ret == 0)
		ret = entry->data != NULL ? put(cpio, entry->data, (size_t)entry->len, err)
					  : put_from_fd(cpio, entry, err);
	return ret == 0 ? pad(cpio, err) : ret;
}

static int finish_digest(struct cpio *cpio, char *text, struct err *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_DigestFinal_ex(cpio->hash, digest, &len) != 1)
		return err_set(err, -EIO, "cannot compute SHA-256");
	for (unsigned i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int cpio_finish(struct cpio *cpio, char *digest, uint64_t *len, struct err *err)
{
	const struct cpio_entry trailer = { .path = "TRAILER!!!", .fd = -1 };
	int ret = cpio_add(cpio, &trailer, err);

	if (ret == 0)
		ret = flush(cpio, err);
	if (ret == 0 && digest != NULL)
		ret = finish_digest(cpio, digest, err);
	if (ret == 0 && len != NULL)
		*len = cpio->len;
	return ret;
}
