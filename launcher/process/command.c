/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "launcher/process/child.h"
#include "lib/cleanup.h"

#define DRAIN_SIZE 4096

struct run {
	struct event_base *loop;
	char *text;
	size_t room, len; /* of text, without the NUL */
	int pipe;         /* its other end is the program's; -1: read to the end */
	struct event *readable;
	bool ended, late;
	int status;
};

/* All that the pipe has; what does not fit is dropped, so that the program never waits for us. */
static void drain(struct run *run)
{
	char rest[DRAIN_SIZE];
	ssize_t n;

	do {
		size_t left = run->room - run->len;

		n = left > 0 ? read(run->pipe, run->text + run->len, left)
			     : read(run->pipe, rest, sizeof(rest));
		if (n > 0 && left > 0)
			run->len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n == 0)
		event_del(run->readable);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	drain(arg);
}

static void on_ended(void *owner, struct child *child, int status)
{
	struct run *run = owner;

	run->ended = true;
	run->status = status;
	event_base_loopbreak(run->loop);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	run->late = true;
	event_base_loopbreak(run->loop);
}

static int start(struct run *run, const struct command *command, int pipe, struct child **child,
	struct err *err)
{
	struct child_plan plan = {
		.name = command->argv[0],
		.program = command->argv[0],
		.argv = command->argv,
		.capabilities = command->capabilities,
		.in = -1,
		.out = command->out >= 0 ? command->out : pipe,
		.err = pipe,
		.fds = { command->fd },
		.n_fds = command->fd >= 0,
		.ended = on_ended,
		.owner = run,
	};

	return child_start(run->loop, &plan, child, err);
}

static int wait_for_end(struct run *run, const struct command *command, struct err *err)
{
	const struct timeval patience = { .tv_sec = command->timeout_s };

	if (event_add(run->readable, NULL) < 0 ||
		(command->timeout_s > 0 &&
			event_base_once(run->loop, -1, EV_TIMEOUT, on_late, run, &patience) < 0))
		return err_set(err, -ENOMEM, "out of memory");
	while (!run->ended && !run->late)
		if (event_base_dispatch(run->loop) != 0)
			return err_set(err, -EIO, "the event loop does not run");
	if (!run->ended)
		return err_set(err, -ETIMEDOUT, "%s has not come to an end within %u s",
			command->argv[0], command->timeout_s);
	drain(run);
	return 0;
}

static int run_in_loop(struct run *run, const struct command *command, struct err *err)
{
	cleanup_close int in = -1, out = -1;
	struct child *child = NULL;
	int fds[2], ret;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(err, errno, "cannot make a pipe");
	run->pipe = in = fds[0];
	out = fds[1];
	/* Its own end blocks, as any program expects. */
	if (fcntl(out, F_SETFL, 0) < 0)
		return err_errno(err, errno, "cannot use a pipe");
	run->readable = event_new(run->loop, in, EV_READ | EV_PERSIST, on_readable, run);
	if (run->readable == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = start(run, command, out, &child, err);
	close(steal_fd(&out));
	if (ret == 0)
		ret = wait_for_end(run, command, err);
	child_kill(child);
	event_free(run->readable);
	return ret;
}

int command_run(
	const struct command *command, char *text, size_t size, int *status, struct err *err)
{
	struct run run = { .loop = event_base_new(), .text = text, .room = size - 1, .pipe = -1 };
	int ret;

	if (run.loop == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	ret = run_in_loop(&run, command, err);
	event_base_free(run.loop);
	text[run.len] = '\0';
	*status = run.status;
	return ret;
}

/* The last line of the text that is not empty: its end is cut off in place. */
static const char *last_line(char *text)
{
	size_t len = strlen(text);
	const char *newline;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		text[--len] = '\0';
	newline = strrchr(text, '\n');
	return newline != NULL ? newline + 1 : text;
}

int command_must(const struct command *command, char *text, size_t size, struct err *err)
{
	char how[64];
	int status, ret = command_run(command, text, size, &status, err);
	const char *said;

	if (ret < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return ret;
	child_describe_status(status, how);
	said = last_line(text);
	return err_set(
		err, -EIO, "%s: %s%s%s", command->argv[0], how, said[0] != '\0' ? ": " : "", said);
}
