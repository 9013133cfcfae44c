/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/port_probe.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"

bool port_probe(const struct sockaddr_in *address)
{
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return true;
	/* What is still in progress is not refused, but not taken either. */
	return errno == EINPROGRESS && getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}
