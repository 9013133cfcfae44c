/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Theory of operation. A child and we talk over a socket until it has executed its program:
 *
 *      child: group, parent-death signal, descriptors, limits     us: tell the keeper
 *      waits                               <-- go --
 *      executes                             -- end of stream (close-on-exec) -->   it runs
 *      or, whatever failed,                 -- errno -->                           it does not
 *
 * It waits because before it executes it has no helpers, and its parent-death signal is enough:
 * nothing can be left behind that the keeper has not heard of.
 *
 * The end of the leader comes as a readable pidfd. It is a zombie then and holds its number, so
 * that number still is its group's, which is killed, then dropped at the keeper's, then waited for:
 * in this order none of the three can meet a number that is somebody else's. Its helpers become our
 * children by its end (we are a subreaper), so we know when the last of them is gone, whoever
 * process 1 is.
 */

#include "launcher/process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <linux/close_range.h>

#include "launcher/process/capability.h"
#include "launcher/process/forked.h"
#include "launcher/process/keeper.h"
#include "launcher/process/program.h"
#include "lib/cleanup.h"
#include "lib/nofile.h"

#define STATUS_TEXT_MAX 64 /* of child_describe_status() */
#define GROUP_WAIT_MS   1000

struct child {
	LIST_ENTRY(child) entry;
	pid_t pid; /* 0: ended and waited for */
	pid_t last_pid;
	int pidfd;
	struct event *ending;
	struct keeper *keeper;
	void (*ended)(void *owner, struct child *child, int status);
	void *owner;
	char name[32];
};

/* All there are, for child_is_ours(). */
static LIST_HEAD(children, child) children = LIST_HEAD_INITIALIZER(children);

/* --- in the child ---------------------------------------------------------------------------- */

/* Everything above 2 is closed by execve(2) but what the plan names. */
static int keep_fds(const struct child_plan *plan)
{
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return -errno;
	for (size_t i = 0; i < plan->n_fds; i++) {
		int flags = fcntl(plan->fds[i], F_GETFD);

		if (flags < 0 || fcntl(plan->fds[i], F_SETFD, flags & ~FD_CLOEXEC) < 0)
			return -errno;
	}
	return 0;
}

/* The kernel began us on the CPU that had least to do. */
static int stay_here(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return 0;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

static int prepare(const struct child_plan *plan)
{
	int ret = setpgid(0, 0) == 0 ? 0 : -errno;

	if (ret == 0)
		ret = forked_set_stdio(plan->in, plan->out, plan->err);
	if (ret == 0)
		ret = keep_fds(plan);
	if (ret == 0)
		ret = plan->nofile > 0 ? nofile_raise(plan->nofile) : 0;
	if (ret == 0 && plan->one_cpu)
		ret = stay_here();
	return ret == 0 ? capability_keep(plan->capabilities) : ret;
}

static _Noreturn void run(const struct child_plan *plan, const char *path, int sock, pid_t parent)
{
	char go;
	int ret;

	if (!forked_die_with(parent))
		forked_end(127);
	/* Out of the way of stdin, stdout and stderr. */
	sock = fcntl(sock, F_DUPFD_CLOEXEC, 3);
	ret = prepare(plan);
	/* Read in any case: what is left unread would make a reset of our answer. */
	if (recv(sock, &go, sizeof(go), 0) != sizeof(go))
		forked_end(127);
	if (ret == 0) {
		forked_reset_signals();
		execve(path, plan->argv, plan->env != NULL ? plan->env : environ);
		ret = -errno;
	}
	send(sock, &ret, sizeof(ret), MSG_NOSIGNAL);
	forked_end(127);
}

/* --- starting -------------------------------------------------------------------------------- */

static int check_fds(const struct child_plan *plan)
{
	if (plan->n_fds > CHILD_FDS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < plan->n_fds; i++)
		if (plan->fds[i] <= STDERR_FILENO)
			return -EINVAL;
	return 0;
}

/* Signals stay blocked until the child has handlers of its own: ours are not to run in it. */
static pid_t fork_blocked(const struct child_plan *plan, const char *path, int sock)
{
	pid_t parent = getpid();
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		run(plan, path, sock, parent);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

/* 0: it runs its program. */
static int let_go(int sock)
{
	const char go = 1;
	ssize_t n;
	int ret;

	send(sock, &go, sizeof(go), MSG_NOSIGNAL);
	do
		n = recv(sock, &ret, sizeof(ret), 0);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	return n == sizeof(ret) ? ret : -EIO;
}

static void wait_for(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
}

/* What is left of the group became our children when its leader ended, and has been killed; a
 * process's memory takes some milliseconds to free. One that cannot die is not waited for. */
static void await_group(pid_t leader)
{
	for (int ms = 0; ms < GROUP_WAIT_MS; ms++) {
		pid_t pid = waitpid(-leader, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid == 0)
			poll(NULL, 0, 1);
	}
}

/* Ends the leader, if it has not ended, and its group. Returns the wait status. */
static int reap(struct child *child)
{
	int status = 0;
	siginfo_t info;

	/* It may not have come to have a group yet. */
	kill(child->pid, SIGKILL);
	kill(-child->pid, SIGKILL);
	while (waitid(P_PIDFD, child->pidfd, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	if (child->keeper != NULL)
		keeper_drop_group(child->keeper, child->pid);
	wait_for(child->pid, &status);
	await_group(child->pid);
	child->pid = 0;
	return status;
}

static void on_ending(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;
	int status = reap(child);

	child->ended(child->owner, child, status);
}

static int watch(struct child *child, struct event_base *loop)
{
	child->pidfd = pidfd_open(child->pid, 0);
	if (child->pidfd < 0)
		return -errno;
	child->ending = event_new(loop, child->pidfd, EV_READ, on_ending, child);
	if (child->ending == NULL || event_add(child->ending, NULL) < 0)
		return -ENOMEM;
	return child->keeper != NULL ? keeper_add_group(child->keeper, child->pid) : 0;
}

static struct child *make(const struct child_plan *plan)
{
	struct child *child = calloc(1, sizeof(*child));

	if (child == NULL)
		return NULL;
	child->pidfd = -1;
	child->keeper = plan->keeper;
	child->ended = plan->ended;
	child->owner = plan->owner;
	snprintf(child->name, sizeof(child->name), "%s", plan->name);
	return child;
}

void child_kill(struct child *child)
{
	if (child == NULL)
		return;
	if (child->pid != 0)
		reap(child);
	if (child->ending != NULL)
		event_free(child->ending);
	if (child->pidfd >= 0)
		close(child->pidfd);
	LIST_REMOVE(child, entry);
	free(child);
}

static int start(struct event_base *loop, const struct child_plan *plan, const char *path,
	struct child **out)
{
	cleanup_free struct child *child = make(plan);
	cleanup_close int ours = -1;
	cleanup_close int its = -1;
	int pair[2];
	int ret;

	if (child == NULL)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	its = pair[1];
	child->pid = child->last_pid = fork_blocked(plan, path, its);
	if (child->pid < 0)
		return -errno;
	LIST_INSERT_HEAD(&children, child, entry);
	close(steal_fd(&its));
	ret = watch(child, loop);
	if (ret == 0)
		ret = let_go(ours);
	if (ret < 0)
		child_kill(steal_ptr(&child));
	else
		*out = steal_ptr(&child);
	return ret;
}

int child_start(
	struct event_base *loop, const struct child_plan *plan, struct child **out, struct err *err)
{
	char path[PATH_MAX];
	int ret = program_find(plan->program, path, err);

	if (ret < 0)
		return err_wrap(err, ret, "cannot start %s", plan->name);
	ret = check_fds(plan);
	if (ret == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		ret = -errno;
	if (ret == 0)
		ret = start(loop, plan, path, out);
	return ret == 0 ? 0 : err_errno(err, -ret, "cannot start %s (%s)", plan->name, path);
}

/* --- afterwards ------------------------------------------------------------------------------ */

bool child_is_ours(pid_t pid)
{
	const struct child *child;

	LIST_FOREACH(child, &children, entry)
	if (child->pid == pid)
		return true;
	return false;
}

pid_t child_pid(const struct child *child)
{
	return child->last_pid;
}

const char *child_name(const struct child *child)
{
	return child->name;
}

int child_signal(struct child *child, int signo)
{
	if (child->pid == 0)
		return -ESRCH;
	return pidfd_send_signal(child->pidfd, signo, NULL, 0) == 0 ? 0 : -errno;
}

char *child_describe_status(int status, char *text)
{
	const char *name;

	if (WIFEXITED(status)) {
		snprintf(text, STATUS_TEXT_MAX, "exit status %d", WEXITSTATUS(status));
		return text;
	}
	name = sigabbrev_np(WTERMSIG(status));
	if (name != NULL)
		snprintf(text, STATUS_TEXT_MAX, "killed by SIG%s", name);
	else
		snprintf(text, STATUS_TEXT_MAX, "killed by signal %d", WTERMSIG(status));
	if (WCOREDUMP(status))
		strncat(text, " (core dumped)", STATUS_TEXT_MAX - strlen(text) - 1);
	return text;
}
