/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/pod_lock.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/unix_socket.h"

#define LOOK_MS 10

static socklen_t make_address(struct sockaddr_un *address, const char *name)
{
	*address = (struct sockaddr_un) { .sun_family = AF_UNIX };
	memcpy(address->sun_path + 1, name, strlen(name));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
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
	socklen_t len = make_address(&address, POD_LOCK_NAME);
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

/* A socket that has the name, or negative errno. */
static int take_name(const char *name)
{
	cleanup_close int fd = open_socket();
	struct sockaddr_un address;
	socklen_t len = make_address(&address, name);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len) < 0 ||
		listen(fd, SOMAXCONN) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* Until its owner has it or has lost it: that happens between two looks. */
static int take_alive(struct pod_lock *lock, struct err *err)
{
	char who[POD_LOCK_WHO_MAX] = "which has just ended";

	lock->alive = take_name(POD_LOCK_NAME);
	for (unsigned ms = 0;
		lock->alive == -EADDRINUSE && !pod_lock_is_taken(who) && ms < POD_LOCK_WAIT_MS;
		ms += LOOK_MS) {
		poll(NULL, 0, LOOK_MS);
		lock->alive = take_name(POD_LOCK_NAME);
	}
	if (lock->alive >= 0)
		return 0;
	if (lock->alive != -EADDRINUSE)
		return err_errno(err, -lock->alive, "cannot make the socket @" POD_LOCK_NAME);
	return err_set(err, -EBUSY,
		"there is a VM in this pod already (%s): name one container in sluice.dev/vm", who);
}

static int await_kept(struct pod_lock *lock, struct err *err)
{
	lock->kept = take_name(POD_LOCK_KEPT_NAME);
	for (unsigned ms = 0; lock->kept == -EADDRINUSE && ms < POD_LOCK_WAIT_MS; ms += LOOK_MS) {
		poll(NULL, 0, LOOK_MS);
		lock->kept = take_name(POD_LOCK_KEPT_NAME);
	}
	if (lock->kept >= 0)
		return 0;
	if (lock->kept != -EADDRINUSE)
		return err_errno(err, -lock->kept, "cannot make the socket @" POD_LOCK_KEPT_NAME);
	return err_set(err, -EBUSY,
		"a VM that was in this pod has ended and is still being cleaned up behind "
		"(@" POD_LOCK_KEPT_NAME " is taken)");
}

int pod_lock_take(struct pod_lock *lock, struct err *err)
{
	int ret;

	*lock = POD_LOCK_NONE;
	ret = take_alive(lock, err);
	if (ret == 0)
		ret = await_kept(lock, err);
	if (ret < 0)
		pod_lock_release(lock);
	return ret;
}

void pod_lock_release(struct pod_lock *lock)
{
	if (lock->kept >= 0)
		close(lock->kept);
	if (lock->alive >= 0)
		close(lock->alive);
	*lock = POD_LOCK_NONE;
}
