/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest-agent/spawn_child.h"
#include "lib/log.h"
#include "lib/unix_socket.h"

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_all(struct spawned *ours, struct spawn_ends *theirs)
{
	close_fd(&ours->report);
	close_fd(&ours->in);
	close_fd(&ours->out);
	close_fd(&ours->err);
	close_fd(&theirs->report);
	close_fd(&theirs->in);
	close_fd(&theirs->out);
	close_fd(&theirs->err);
}

/* Only the agent's end is non-blocking: programs do not expect that of theirs. */
static int make_pipe(int *read_end, int *write_end, int *ours)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*read_end = ends[0];
	*write_end = ends[1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int make_report(int *ours, int *theirs)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	*ours = ends[0];
	*theirs = ends[1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int make_ends(bool terminal, struct spawned *ours, struct spawn_ends *theirs)
{
	int ret = make_report(&ours->report, &theirs->report);

	if (ret < 0 || terminal)
		return ret;
	ret = make_pipe(&theirs->in, &ours->in, &ours->in);
	if (ret == 0)
		ret = make_pipe(&ours->out, &theirs->out, &ours->out);
	if (ret == 0)
		ret = make_pipe(&ours->err, &theirs->err, &ours->err);
	return ret;
}

/* The PID namespace of the next child, and back again. It never is this process's own. */
static int choose_pid_namespace(const struct spawn_plan *plan)
{
	if (plan->place != NULL)
		return setns(plan->place->pid_ns, CLONE_NEWPID);
	return plan->as_init ? unshare(CLONE_NEWPID) : 0;
}

static void restore_pid_namespace(const struct spawn_plan *plan)
{
	if ((plan->place != NULL || plan->as_init) && setns(plan->own_pid_ns, CLONE_NEWPID) < 0)
		log_error("cannot return to the agent's PID namespace", log_int("errno", errno));
}

/* A fork without the handlers for signals that the agent has. */
static pid_t fork_child(const struct spawn_plan *plan, const struct spawn_ends *theirs)
{
	struct clone_args args = { .flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		spawn_child(plan, theirs);
	return pid;
}

static int start(const struct spawn_plan *plan, struct spawned *ours,
	const struct spawn_ends *theirs, struct err *err)
{
	int ret = 0;

	if (choose_pid_namespace(plan) < 0)
		return err_errno(err, errno, "cannot enter the PID namespace");
	ours->pid = fork_child(plan, theirs);
	if (ours->pid < 0)
		ret = err_errno(err, errno, "cannot fork");
	restore_pid_namespace(plan);
	return ret;
}

int spawn(const struct spawn_plan *plan, struct spawned *out, struct err *err)
{
	struct spawn_ends theirs = { .report = -1, .in = -1, .out = -1, .err = -1 };
	int ret;

	*out = (struct spawned) { .report = -1, .in = -1, .out = -1, .err = -1 };
	ret = make_ends(plan->spec->terminal, out, &theirs);
	if (ret < 0)
		err_errno(err, -ret, "cannot make pipes");
	else
		ret = start(plan, out, &theirs, err);
	if (ret < 0) {
		close_all(out, &theirs);
		return ret;
	}
	close_all(&(struct spawned) { .report = -1, .in = -1, .out = -1, .err = -1 }, &theirs);
	return 0;
}

int spawn_report_next(int report, struct spawn_news *news)
{
	size_t n_fds = 1;
	ssize_t n;

	news->fd = -1;
	n = unix_recv_fds(report, &news->message, sizeof(news->message), &news->fd, &n_fds);
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n != (ssize_t)sizeof(news->message))
		news->message.kind = SPAWN_END;
	if (n_fds == 1)
		fcntl(news->fd, F_SETFL, O_RDWR | O_NONBLOCK);
	return 0;
}
