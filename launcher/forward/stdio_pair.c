/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Theory of operation. Two threads, each with one direction: what blocks one does not keep the
 * other from going on, and files and terminals need no special care. A thread that sits in a read
 * of stdin cannot be called back; the process ends around it, when the socket says that its other
 * end is closed for good.
 */

#include "launcher/forward/stdio_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define BUFFER_SIZE 65536

struct upward {
	int sock, ended;
};

/* What came of a direction: negative errno, and of which side it was. */
struct outcome {
	int from, to;
};

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static struct outcome copy(int from, int to)
{
	char buffer[BUFFER_SIZE];
	ssize_t n;

	while ((n = read(from, buffer, sizeof(buffer))) != 0) {
		int ret;

		if (n < 0 && errno != EINTR)
			return (struct outcome) { .from = -errno };
		ret = n > 0 ? write_all(to, buffer, (size_t)n) : 0;
		if (ret < 0)
			return (struct outcome) { .to = ret };
	}
	return (struct outcome) { 0 };
}

static void *run_upward(void *arg)
{
	const struct upward *up = arg;
	const uint64_t one = 1;

	(void)copy(STDIN_FILENO, up->sock);
	(void)shutdown(up->sock, SHUT_WR);
	(void)!write(up->ended, &one, sizeof(one));
	return NULL;
}

/* Until stdin has ended, or nobody is at the socket's other end. */
static void await_upward(const struct upward *up)
{
	struct pollfd ends[] = { { .fd = up->ended, .events = POLLIN }, { .fd = up->sock } };

	while (poll(ends, 2, -1) < 0 && errno == EINTR)
		;
}

int stdio_pair_run(int sock, struct err *err)
{
	cleanup_close int ended = eventfd(0, EFD_CLOEXEC);
	/* It outlives this function if it cannot be called back. */
	static struct upward up;
	struct outcome down;
	pthread_t thread;
	int ret;

	if (ended < 0 || fcntl(sock, F_SETFL, 0) < 0)
		return err_errno(err, errno, "cannot copy");
	up = (struct upward) { sock, ended };
	ret = pthread_create(&thread, NULL, run_upward, &up);
	if (ret != 0)
		return err_errno(err, ret, "cannot copy");
	(void)pthread_detach(thread);
	down = copy(sock, STDOUT_FILENO);
	if (down.from < 0)
		return err_errno(err, -down.from, "the guest's port");
	if (down.to < 0)
		return err_errno(err, -down.to, "cannot write to the standard output");
	(void)close(STDOUT_FILENO);
	await_upward(&up);
	return 0;
}
