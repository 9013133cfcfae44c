/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/kernel_elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "launcher/image/bzimage.h"
#include "launcher/image/cache_file.h"
#include "launcher/image/unpack.h"
#include "lib/cleanup.h"
#include "lib/whole_file.h"

#define PACKED_MAX   (256 << 20)
#define UNPACKED_MAX (UINT64_C(1) << 30)
#define SUM_LEN      32 /* SHA-256 */

/* For 64 bits, of x86. */
static bool is_elf(const void *bytes, size_t len)
{
	Elf64_Ehdr header;

	if (len < sizeof(header))
		return false;
	memcpy(&header, bytes, sizeof(header));
	return memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
	       header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64;
}

static bool is_elf_file(int fd)
{
	char bytes[sizeof(Elf64_Ehdr)];
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

	return n > 0 && is_elf(bytes, (size_t)n);
}

/* Of an ELF file, which may be a large one, no more is read: *image is empty then. */
static int look(const char *path, char **bytes, size_t *len, struct bzimage *image, struct err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	*image = (struct bzimage) { 0 };
	if (fd >= 0 && is_elf_file(fd))
		return 0;
	ret = fd >= 0 ? whole_file_read(path, PACKED_MAX, bytes, len) : -errno;
	if (ret < 0)
		return err_errno(err, -ret, "cannot read the kernel %s", path);
	ret = bzimage_find((const uint8_t *)*bytes, *len, image);
	if (ret < 0)
		return err_set(err, ret,
			"the kernel %s is neither an ELF file for x86-64 nor a bzImage, out of "
			"which one can be unpacked",
			path);
	if (image->packing == PACKING_UNKNOWN)
		return err_set(err, -ENOEXEC,
			"the kernel %s is packed in a way that is not known here (gzip, lz4, "
			"xz and zstd are): unpack it to an ELF file (extract-vmlinux of its "
			"sources)",
			path);
	return 0;
}

int kernel_elf_check(const char *path, struct err *err)
{
	cleanup_free char *bytes = NULL;
	struct bzimage image;
	size_t len;

	return look(path, &bytes, &len, &image, err);
}

/* --- the cache ------------------------------------------------------------------------------- */

static int fill(const char *path, const struct bzimage *image, int fd, struct err *err)
{
	int ret = unpack(image, fd, UNPACKED_MAX);

	if (ret == -EBADMSG || (ret == 0 && !is_elf_file(fd)))
		return err_set(err, -EBADMSG, "what is packed in the kernel %s is damaged", path);
	if (ret == 0 && (fchmod(fd, 0444) < 0 || fsync(fd) < 0))
		ret = -errno;
	return ret < 0 ? err_errno(err, -ret, "cannot unpack the kernel %s", path) : 0;
}

static int make(const char *path, const struct bzimage *image, const char *cache_dir,
	const char *elf, struct err *err)
{
	cleanup_free char *file = NULL;
	cleanup_close int fd = cache_file_new(cache_dir, &file, err);
	int ret;

	if (fd < 0)
		return fd;
	ret = fill(path, image, fd, err);
	if (ret == 0 && rename(file, elf) < 0)
		ret = err_errno(err, errno, "cannot make %s", elf);
	if (ret < 0)
		unlink(file);
	return ret;
}

static int name_cached(const char *bytes, size_t len, const char *cache_dir, char **elf)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	char text[2 * SUM_LEN + 1];

	if (EVP_Digest(bytes, len, sum, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	for (size_t i = 0; i < SUM_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	return asprintf(elf, "%s/vmlinux-%s", cache_dir, text) < 0 ? -ENOMEM : 0;
}

int kernel_elf_get(const char *path, const char *cache_dir, char **elf, struct err *err)
{
	cleanup_free char *bytes = NULL, *cached = NULL;
	struct bzimage image;
	size_t len;
	int ret = look(path, &bytes, &len, &image, err);

	if (ret < 0)
		return ret;
	if (image.payload == NULL)
		ret = (cached = strdup(path)) != NULL ? 0 : -ENOMEM;
	else
		ret = name_cached(bytes, len, cache_dir, &cached);
	if (ret < 0)
		return err_set(err, ret, "out of memory");
	if (image.payload != NULL && mkdir(cache_dir, 0755) < 0 && errno != EEXIST)
		return err_errno(err, errno, "cannot make the directory %s", cache_dir);
	if (image.payload != NULL && access(cached, R_OK) < 0)
		ret = make(path, &image, cache_dir, cached, err);
	if (ret == 0)
		*elf = steal_ptr(&cached);
	return ret;
}
