/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * From a unix socket to the agent: CONNECT.
 *
 * While a VM boots there is, in this order: no socket, a socket that refuses, one that takes the
 * connection and closes it (nobody listens in the guest), or one that says nothing (the guest's
 * vsock driver is not there yet). All of these are tried again. What answers, but not as it should,
 * is not a VM's socket, and no time will mend that.
 */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "launcher/exec/exec_client.h"
#include "lib/cleanup.h"
#include "lib/monotonic.h"
#include "lib/unix_socket.h"

#define PAUSE_MIN_MS 5
#define PAUSE_MAX_MS 200
#define ATTEMPT_MS   5000 /* a question that fell on deaf ears is asked again */
#define ANSWER_MAX   32   /* "OK 4294967295\n" is less */

/* Until there is something to read. -EAGAIN: nothing came until `deadline`. */
static int await_bytes(int fd, int64_t deadline, struct err *err)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	for (;;) {
		int64_t left = deadline - monotonic_ms();
		int n = poll(&pollfd, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return 0;
		if (n == 0)
			return err_set(err, -EAGAIN, "no answer to CONNECT");
		if (errno != EINTR)
			return err_errno(err, errno, "poll");
	}
}

/* The answer's bytes up to its newline and none behind it, which belong to the agent. Returns how
 * many were added to what is in `line`. */
static ssize_t read_to_newline(int fd, char *line, size_t room)
{
	ssize_t n = recv(fd, line, room, MSG_PEEK | MSG_DONTWAIT);
	const char *newline;

	if (n <= 0)
		return n < 0 ? -errno : 0;
	newline = memchr(line, '\n', (size_t)n);
	n = recv(fd, line, newline != NULL ? (size_t)(newline + 1 - line) : (size_t)n, 0);
	return n < 0 ? -errno : n;
}

static bool is_good(const char *line, size_t len)
{
	return len > 4 && memcmp(line, "OK ", 3) == 0 &&
	       strspn(line + 3, "0123456789") == len - 4 && line[len - 1] == '\n';
}

static int read_answer(int fd, int64_t deadline, struct err *err)
{
	char line[ANSWER_MAX + 1] = "";
	size_t len = 0;

	while (len < ANSWER_MAX && memchr(line, '\n', len) == NULL) {
		int ret = await_bytes(fd, deadline, err);
		ssize_t n;

		if (ret < 0)
			return ret;
		n = read_to_newline(fd, line + len, ANSWER_MAX - len);
		if (n == 0 || n == -ECONNRESET)
			return err_set(err, -EAGAIN, "the connection was closed: nobody listens");
		if (n < 0 && n != -EAGAIN && n != -EINTR)
			return err_errno(err, (int)-n, "cannot read");
		len += n > 0 ? (size_t)n : 0;
	}
	if (!is_good(line, len))
		return err_set(
			err, -EPROTO, "the answer to CONNECT is not OK: is it a VM's socket?");
	return 0;
}

static bool may_come_up(int ret)
{
	return ret == -ENOENT || ret == -ECONNREFUSED || ret == -EAGAIN || ret == -ECONNRESET ||
	       ret == -EPIPE;
}

/* -EAGAIN: it can be tried again. Returns the connection. */
static int try_once(const char *path, uint32_t port, int64_t deadline, struct err *err)
{
	cleanup_close int fd = unix_connect(path, err);
	char question[32];
	int len, ret;

	if (fd < 0)
		return may_come_up(fd) ? -EAGAIN : fd;
	len = snprintf(question, sizeof(question), "CONNECT %u\n", (unsigned)port);
	if (send(fd, question, (size_t)len, MSG_NOSIGNAL) != len) {
		ret = err_errno(err, errno, "cannot write to %s", path);
		return may_come_up(ret) ? -EAGAIN : ret;
	}
	ret = read_answer(fd, deadline, err);
	return ret < 0 ? err_wrap(err, ret, "%s", path) : steal_fd(&fd);
}

static void pause_ms(int64_t ms)
{
	const struct timespec pause = { .tv_nsec = (long)ms * 1000000 };

	(void)nanosleep(&pause, NULL);
}

int exec_connect(const char *path, uint32_t port, unsigned timeout_ms, int *fd, struct err *err)
{
	int64_t deadline = monotonic_ms() + timeout_ms;
	int64_t pause = PAUSE_MIN_MS;

	for (;;) {
		int64_t now = monotonic_ms();
		int ret = try_once(
			path, port, now + ATTEMPT_MS < deadline ? now + ATTEMPT_MS : deadline, err);

		if (ret >= 0) {
			/* What earlier attempts failed of is over. */
			if (err != NULL)
				err->text[0] = '\0';
			*fd = ret;
			return 0;
		}
		if (ret != -EAGAIN)
			return ret;
		now = monotonic_ms();
		if (now >= deadline)
			return err_wrap(err, -ETIMEDOUT, "no agent answered within %g s",
				timeout_ms / 1000.0);
		pause_ms(pause < deadline - now ? pause : deadline - now);
		pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
	}
}
