/* SPDX-License-Identifier: BSD-3-Clause */

/* An archive that `sluice-vm image ls` is to show: whatever it is, reading it comes to an end, and
 * what is printed is text. */

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "launcher/image/cpio_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void list(int fd)
{
	char path[64], *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert(out != NULL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	(void)cpio_list(path, "/image/", out, NULL);
	fclose(out);
	for (size_t i = 0; i < size; i++)
		assert(text[i] == '\n' || isprint((unsigned char)text[i]));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("archive", MFD_CLOEXEC), ret;
	uint64_t at = 0, before;
	struct cpio_row row;

	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	do {
		before = at;
		ret = cpio_list_next(fd, &at, &row, NULL);
		assert(ret < 0 ? ret == -EBADMSG : at > before);
		assert(ret < 0 || strlen(row.name) < sizeof(row.name));
	} while (ret > 0);
	list(fd);
	close(fd);
	return 0;
}
