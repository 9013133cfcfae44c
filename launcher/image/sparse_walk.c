/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/sparse_walk.h"

#include <errno.h>
#include <unistd.h>

int sparse_walk(int fd, off_t size, int (*data)(void *arg, int fd, off_t at, off_t end), void *arg)
{
	off_t at = 0;
	int ret = 0;

	while (ret == 0 && at < size) {
		off_t begin = lseek(fd, at, SEEK_DATA);
		off_t hole = begin < 0 ? -1 : lseek(fd, begin, SEEK_HOLE);

		if (begin < 0 && errno == ENXIO)
			return 0;
		if (hole < 0)
			return -errno;
		/* It may have grown meanwhile. */
		at = hole < size ? hole : size;
		if (begin < at)
			ret = data(arg, fd, begin, at);
	}
	return ret;
}
