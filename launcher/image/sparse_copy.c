/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/image/sparse_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/image/sparse_walk.h"

#define CHUNK_SIZE 65536

static int write_all(int out, const uint8_t *data, size_t len, off_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(out, data, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
		at += n;
	}
	return 0;
}

/* The kernel does not copy between these two. */
static bool refused(int errnum)
{
	return errnum == EXDEV || errnum == EINVAL || errnum == ENOSYS || errnum == EOPNOTSUPP ||
	       errnum == EPERM;
}

/* How many bytes of up to `len`, or negative errno. */
static ssize_t copy_some(int in, int out, off_t at, size_t len)
{
	uint8_t chunk[CHUNK_SIZE];
	off_t from = at, to = at;
	ssize_t n = copy_file_range(in, &from, out, &to, len, 0);
	int ret;

	if (n >= 0 || !refused(errno))
		return n >= 0 ? n : -errno;
	n = pread(in, chunk, len < sizeof(chunk) ? len : sizeof(chunk), at);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	ret = write_all(out, chunk, (size_t)n, at);
	return ret < 0 ? ret : n;
}

static int copy_range(void *arg, int in, off_t at, off_t end)
{
	const int *out = arg;

	while (at < end) {
		ssize_t n = copy_some(in, *out, at, (size_t)(end - at));

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EBUSY; /* it has become shorter */
		at += n;
	}
	return 0;
}

int sparse_copy(int in, int out)
{
	struct stat st;

	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	if (fstat(in, &st) < 0 || ftruncate(out, st.st_size) < 0)
		return -errno;
	return sparse_walk(in, st.st_size, copy_range, &out);
}
