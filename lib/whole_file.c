/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define FIRST_SIZE 4096

/* Reads into data[size] from *len on: 1 at the end of the file, 0 if it is full. */
static int fill(int fd, char *data, size_t size, size_t *len)
{
	while (*len < size) {
		ssize_t n = read(fd, data + *len, size - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 1;
		*len += (size_t)n;
	}
	return 0;
}

int whole_file_read_fd(int fd, size_t max, char **data, size_t *len)
{
	cleanup_free char *buffer = NULL;
	size_t size = 0, n = 0;
	int ret = 0;

	while (ret == 0) {
		char *larger;

		if (n > max)
			return -EFBIG;
		size = size == 0 ? FIRST_SIZE : 2 * size;
		if (size > max + 1)
			size = max + 1;
		larger = realloc(buffer, size + 1);
		if (larger == NULL)
			return -ENOMEM;
		buffer = larger;
		ret = fill(fd, buffer, size, &n);
	}
	if (ret < 0)
		return ret;
	if (n > max)
		return -EFBIG;
	buffer[n] = '\0';
	*data = steal_ptr(&buffer);
	*len = n;
	return 0;
}

int whole_file_read(const char *path, size_t max, char **data, size_t *len)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return whole_file_read_fd(fd, max, data, len);
}

int whole_file_write_fd(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int whole_file_write(const char *path, mode_t mode, const void *data, size_t len)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || fchmod(fd, mode) < 0)
		return -errno;
	return whole_file_write_fd(fd, data, len);
}
