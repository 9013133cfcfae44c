/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * sluice-fs-relay LISTEN_FD BACK_FD TAG: serves the one VMM that connects to LISTEN_FD and ends
 * with it; BACK_FD is connected to virtiofsd. Started by sluice-vm; see fs_relay.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher/storage/fs_relay.h"
#include "lib/log.h"

/* The VMM, or -ECONNRESET: virtiofsd has hung up before one came. */
static int await_vmm(int listen_fd, int back, struct err *err)
{
	struct pollfd pfd[] = { { .fd = listen_fd, .events = POLLIN },
		{ .fd = back, .events = POLLRDHUP } };

	for (;;) {
		int fd;

		if (poll(pfd, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(err, errno, "cannot wait for the VMM");
		}
		if (pfd[1].revents != 0)
			return -ECONNRESET;
		fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED))
			return fd >= 0 ? fd : err_errno(err, errno, "cannot accept the VMM");
	}
}

/* As fs_relay_run(). */
static int run(int listen_fd, int back, const char *tag, struct err *err)
{
	struct fs_relay relay;
	int ret = fs_relay_init(&relay, tag, err), front;

	if (ret < 0)
		return ret;
	if (fcntl(listen_fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(back, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(err, errno, "cannot use descriptors %d and %d", listen_fd, back);
	front = await_vmm(listen_fd, back, err);
	if (front < 0)
		return front == -ECONNRESET ? FS_RELAY_BACK : front;
	close(listen_fd);
	ret = fs_relay_run(&relay, front, back, err);
	close(front);
	return ret;
}

int main(int argc, char **argv)
{
	struct err err = { "" };
	int ret;

	if (argc != 4) {
		fputs("usage: sluice-fs-relay LISTEN_FD BACK_FD TAG (sluice-vm starts it)\n",
			stderr);
		return 2;
	}
	ret = run(atoi(argv[1]), atoi(argv[2]), argv[3], &err);
	if (ret < 0)
		log_error("virtio-fs relay ended", log_str("reason", err.text));
	return ret < 0 ? 1 : ret == FS_RELAY_BACK ? FS_RELAY_EXIT_BACK : 0;
}
