/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/pod_lock.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/unix_socket.h"

static socklen_t make_address(struct sockaddr_un *address)
{
	*address = (struct sockaddr_un) { .sun_family = AF_UNIX };
	memcpy(address->sun_path + 1, POD_LOCK_NAME, strlen(POD_LOCK_NAME));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(POD_LOCK_NAME));
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* It listens, and never accepts, so that the kernel can be asked whose it is. One of another
 * container is in a process namespace that we do not see. */
bool pod_lock_is_taken(char *who)
{
	cleanup_close int fd = open_socket();
	struct sockaddr_un address;
	socklen_t len = make_address(&address);
	int ret = fd < 0 || connect(fd, (const struct sockaddr *)&address, len) < 0 ? -errno : 0;
	struct unix_peer peer;

	if (ret == -ECONNREFUSED)
		return false;
	if (ret < 0 || unix_peer(fd, &peer) < 0)
		snprintf(who, POD_LOCK_WHO_MAX, "@" POD_LOCK_NAME " is taken");
	else if (peer.pid > 0)
		snprintf(who, POD_LOCK_WHO_MAX, "process %d has @" POD_LOCK_NAME, (int)peer.pid);
	else
		snprintf(who, POD_LOCK_WHO_MAX, "another container has @" POD_LOCK_NAME);
	return true;
}

int pod_lock_take(struct err *err)
{
	cleanup_close int fd = open_socket();
	struct sockaddr_un address;
	socklen_t len = make_address(&address);
	char who[POD_LOCK_WHO_MAX];

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) == 0 &&
		listen(fd, SOMAXCONN) == 0)
		return steal_fd(&fd);
	if (errno != EADDRINUSE)
		return err_errno(err, errno, "cannot make the socket @" POD_LOCK_NAME);
	if (!pod_lock_is_taken(who))
		snprintf(who, sizeof(who), "which has just ended");
	return err_set(err, -EBUSY,
		"there is a VM in this pod already (%s): name one container in sluice.dev/vm", who);
}
