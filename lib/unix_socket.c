/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "lib/cleanup.h"

#define BACKLOG 16

static int fill_address(struct sockaddr_un *addr, const char *path, struct err *err)
{
	size_t len = strlen(path);

	*addr = (struct sockaddr_un) { .sun_family = AF_UNIX };
	if (len == 0)
		return err_set(err, -EINVAL, "a socket path is empty");
	if (len >= sizeof(addr->sun_path))
		return err_set(err, -ENAMETOOLONG,
			"socket path \"%s\" is longer than %zu bytes: use a shorter one", path,
			sizeof(addr->sun_path) - 1);
	memcpy(addr->sun_path, path, len + 1);
	return 0;
}

static int new_socket(struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 ? fd : err_errno(err, errno, "cannot create a unix socket");
}

/*
 * Makes room for bind(2): a socket file whose owner is gone is removed. Connecting is the only
 * question the kernel answers about that: ECONNREFUSED means that nobody listens, success or a full
 * backlog (EAGAIN) that somebody does.
 */
static int remove_stale(const struct sockaddr_un *addr, struct err *err)
{
	const char *path = addr->sun_path;
	cleanup_close int probe = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot look at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST,
			"cannot listen on %s: a file that is not a socket is there", path);

	probe = new_socket(err);
	if (probe < 0)
		return probe;
	if (connect(probe, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN ||
		errno == EPROTOTYPE)
		return err_set(err, -EADDRINUSE,
			"cannot listen on %s: another process is listening there", path);
	if (errno == ENOENT)
		return 0;
	if (errno != ECONNREFUSED)
		return err_errno(err, errno, "cannot tell whether %s is in use", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(err, errno, "cannot remove the stale socket %s", path);
	return 0;
}

int unix_listen(const char *path, mode_t mode, struct err *err)
{
	cleanup_close int fd = -1;
	struct sockaddr_un addr;
	int ret;

	ret = fill_address(&addr, path, err);
	if (ret < 0)
		return ret;
	ret = remove_stale(&addr, err);
	if (ret < 0)
		return ret;
	fd = new_socket(err);
	if (fd < 0)
		return fd;
	/* The file is born with at most `mode`; the umask may have taken bits that chmod gives
	 * back. Until listen(2), connecting is refused. */
	if (fchmod(fd, mode) < 0)
		return err_errno(err, errno, "cannot set the mode of a socket");
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, errno, "cannot bind %s", path);
	if (chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0) {
		ret = err_errno(err, errno, "cannot listen on %s", path);
		unlink(path);
		return ret;
	}
	return steal_fd(&fd);
}

int unix_connect(const char *path, struct err *err)
{
	cleanup_close int fd = -1;
	struct sockaddr_un addr;
	int ret;

	ret = fill_address(&addr, path, err);
	if (ret < 0)
		return ret;
	fd = new_socket(err);
	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, errno, "cannot connect to %s", path);
	return steal_fd(&fd);
}

int unix_peer(int fd, struct unix_peer *peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*peer = (struct unix_peer) { .pid = cred.pid, .uid = cred.uid, .gid = cred.gid };
	return 0;
}

/* Moves the descriptors of one control message into fds[*n]; those beyond `room` are closed, and
 * *n counts them all the same. */
static void take_fds(struct cmsghdr *cmsg, int *fds, size_t room, size_t *n)
{
	size_t n_here = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < n_here; i++, (*n)++) {
		int fd;

		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		if (*n < room)
			fds[*n] = fd;
		else
			close(fd);
	}
}

ssize_t unix_recv_fds(int sock, void *buf, size_t len, int *fds, size_t *n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(UNIX_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	size_t room = *n_fds;
	size_t n = 0;
	ssize_t got;

	*n_fds = 0;
	do {
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			take_fds(c, fds, room, &n);
	}
	*n_fds = n < room ? n : room;
	return n > room || (msg.msg_flags & MSG_CTRUNC) != 0 ? -EMSGSIZE : got;
}

ssize_t unix_send_fds(int sock, const void *buf, size_t len, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(UNIX_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (n_fds > UNIX_FDS_MAX)
		return -EINVAL;
	if (n_fds > 0) {
		struct cmsghdr *cmsg = &control.align;

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	do {
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

int unix_unread(int fd)
{
	int n;

	return ioctl(fd, SIOCOUTQ, &n) < 0 ? -errno : n;
}
