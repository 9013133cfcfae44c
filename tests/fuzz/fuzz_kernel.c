/* SPDX-License-Identifier: BSD-3-Clause */

/* A kernel's header and what is packed in it: whatever the bytes, nothing outside them is read, and
 * no more is written than there is room for. */

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/image/bzimage.h"
#include "launcher/image/unpack.h"

#define ROOM (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bzimage image;
	struct stat st;
	int fd, ret;

	if (bzimage_find(data, size, &image) < 0)
		return 0;
	assert(image.payload >= data && image.len <= size - (size_t)(image.payload - data));
	fd = memfd_create("unpacked", MFD_CLOEXEC);
	if (fd < 0)
		abort();
	ret = unpack(&image, fd, ROOM);
	assert(ret == 0 || ret == -EBADMSG || ret == -EFBIG || ret == -ENOTSUP);
	if (fstat(fd, &st) < 0)
		abort();
	assert(st.st_size <= ROOM);
	close(fd);
	return 0;
}
