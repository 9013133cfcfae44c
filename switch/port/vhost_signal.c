/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_signal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool vhost_signal_is_eventfd(int fd)
{
	char link[40], target[32] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, target, sizeof(target) - 1) > 0 &&
	       strcmp(target, "anon_inode:[eventfd]") == 0;
}

static bool is_unix_socket(int fd)
{
	int domain;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

int vhost_signal_check(int fd, bool *is_socket, struct err *err)
{
	bool socket = is_socket && is_unix_socket(fd);
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (!socket && !vhost_signal_is_eventfd(fd)))
		return err_set(err, -EINVAL, "the descriptor is not an eventfd");
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_errno(err, errno, "cannot make the descriptor non-blocking");
	if (is_socket)
		*is_socket = socket;
	return 0;
}
