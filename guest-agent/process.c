/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/process_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <event2/event.h>

#include "lib/cleanup.h"

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void free_event(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

/* --- what processes share --------------------------------------------------------------------- */

/* The agent may have many descriptors: half a dozen for each process. */
static int raise_nofile(struct process_host *host)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	host->nofile = limit;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

/* Asked once: where a system call is dear (UML), one for each signal and process is too much. */
static uint64_t ignored_signals(void)
{
	struct sigaction now;
	uint64_t ignored = 0;

	for (int signo = 1; signo <= 64; signo++)
		if (sigaction(signo, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			ignored |= 1ULL << (signo - 1);
	return ignored;
}

int process_host_init(struct process_host *host, struct event_base *loop, struct err *err)
{
	int ret;

	*host = (struct process_host) {
		.loop = loop,
		.own_pid_ns = -1,
		.ignored = ignored_signals(),
	};
	LIST_INIT(&host->processes);
	ret = raise_nofile(host);
	if (ret < 0)
		return err_errno(err, -ret, "cannot raise the limit of open files");
	host->own_pid_ns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (host->own_pid_ns < 0)
		return err_errno(err, errno, "cannot open /proc/self/ns/pid");
	host->reaper = reaper_new(loop);
	if (host->reaper == NULL || process_hang_up_init(host) < 0)
		return err_set(err, -ENOMEM, "cannot watch for children");
	return 0;
}

/* All first: a PID namespace does not end before those have been reaped that had joined it. */
void process_host_close(struct process_host *host)
{
	struct process *process;

	process_kill_all(host);
	if (host->reaper != NULL)
		reaper_wait(host->reaper);
	while ((process = LIST_FIRST(&host->processes)) != NULL)
		process_destroy(process);
	reaper_free(host->reaper);
	free_event(&host->on_hang_up);
	if (host->own_pid_ns >= 0)
		close(host->own_pid_ns);
}

/* --- one process ------------------------------------------------------------------------------ */

struct process *process_new(
	struct process_host *host, size_t output_size, const struct process_owner *ops, void *owner)
{
	struct process *process = calloc(1, sizeof(*process));

	if (process == NULL)
		return NULL;
	*process = (struct process) { .host = host, .ops = ops, .owner = owner };
	process->report = process->terminal = -1;
	process->spawned = (struct spawned) { .report = -1, .in = -1, .out = -1, .err = -1 };
	LIST_INSERT_HEAD(&host->processes, process, link);
	host->n_processes++;
	if (process_io_init(process, output_size) < 0) {
		process_destroy(process);
		return NULL;
	}
	return process;
}

void process_forget_report(struct process *process)
{
	free_event(&process->on_report);
}

void process_close_ends(struct process *process)
{
	process_io_close(process);
	process_forget_report(process);
	close_fd(&process->report);
	close_fd(&process->spawned.in);
	close_fd(&process->spawned.out);
	close_fd(&process->spawned.err);
	close_fd(&process->terminal);
}

void process_destroy(struct process *process)
{
	if (process->is_forked && !process->is_reaped)
		reaper_forget(&process->child);
	process_close_ends(process);
	LIST_REMOVE(process, link);
	process->host->n_processes--;
	free(process);
}

pid_t process_pid(const struct process *process)
{
	return process->child.pid;
}

static struct agent_exit exit_of(int status)
{
	if (WIFSIGNALED(status))
		return (struct agent_exit) {
			.signalled = true,
			.dumped = WCOREDUMP(status),
			.value = (uint32_t)WTERMSIG(status),
		};
	return (struct agent_exit) { .value = (uint32_t)WEXITSTATUS(status) };
}

void process_check_end(struct process *process)
{
	struct agent_exit ex;

	if (!process->is_executed || !process->is_reaped || !process_io_is_over(process))
		return;
	if (process->ops == NULL || process->is_told)
		return;
	process->is_told = true;
	ex = exit_of(process->status);
	process->ops->ended(process->owner, &ex);
}

/* --- its start -------------------------------------------------------------------------------- */

static void deliver_signals(struct process *process)
{
	for (int signo = 1; signo <= 64; signo++) {
		uint64_t bit = 1ULL << (signo - 1);

		if ((process->signals & bit) != 0)
			process_signal(process, signo, (process->signals_alone & bit) != 0);
	}
}

/* The report is over: the program has been executed, or will not be. */
static void report_ended(struct process *process)
{
	free_event(&process->on_report);
	close_fd(&process->report);
	if (process->failure == 0 && process->inner_pid == 0) {
		process->failure = 126;
		snprintf(process->why, sizeof(process->why), "killed before it was executed");
	}
	if (process->failure != 0) {
		process->ops->failed(process->owner, process->failure, process->why);
		return;
	}
	process->is_executed = true;
	process->ops->started(process->owner, process->inner_pid);
	if (process->has_window)
		process_resize(process, &process->window);
	deliver_signals(process);
	process_io_begin(process);
	process_check_end(process);
}

static void take_terminal(struct process *process, int fd)
{
	if (process->terminal < 0)
		process->terminal = fd;
	else
		close(fd);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	struct process *process = arg;
	struct spawn_news news;

	while (spawn_report_next(process->report, &news) == 0) {
		if (news.fd >= 0)
			take_terminal(process, news.fd);
		switch (news.message.kind) {
		case SPAWN_PID:
			process->inner_pid = news.message.value;
			break;
		case SPAWN_FAILED:
			process->failure = news.message.value;
			memcpy(process->why, news.message.text, sizeof(process->why));
			break;
		case SPAWN_END:
			report_ended(process);
			return;
		}
	}
}

static void on_reaped(struct watched_child *child, int status);

int process_start(struct process *process, struct spawn_plan *plan, struct err *err)
{
	int ret;

	plan->own_pid_ns = process->host->own_pid_ns;
	plan->nofile = process->host->nofile;
	plan->ignored = process->host->ignored;
	ret = spawn(plan, &process->spawned, err);
	if (ret < 0)
		return ret;
	process->report = steal_fd(&process->spawned.report);
	process->child = (struct watched_child) {
		.pid = process->spawned.pid,
		.ended = on_reaped,
	};
	process->is_forked = true;
	reaper_watch(process->host->reaper, &process->child);
	process->on_report = event_new(
		process->host->loop, process->report, EV_READ | EV_PERSIST, on_report, process);
	if (process->on_report == NULL || event_add(process->on_report, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* --- while it runs ---------------------------------------------------------------------------- */

/* The group that a key pressed at its terminal would reach. */
static pid_t group_of(const struct process *process)
{
	int group = 0;

	if (process->terminal >= 0 && ioctl(process->terminal, TIOCGPGRP, &group) == 0 && group > 0)
		return group;
	return process->child.pid;
}

void process_signal(struct process *process, int signo, bool alone)
{
	uint64_t bit = 1ULL << (signo - 1);

	if (!process->is_executed) {
		process->signals |= bit;
		process->signals_alone |= alone ? bit : 0;
	} else if (!process->is_reaped) {
		kill(alone ? process->child.pid : -group_of(process), signo);
	}
}

void process_resize(struct process *process, const struct agent_window *window)
{
	const struct winsize size = { .ws_row = window->rows, .ws_col = window->columns };

	process->has_window = true;
	process->window = *window;
	if (process->is_executed && process->terminal >= 0)
		ioctl(process->terminal, TIOCSWINSZ, &size);
}

/* --- its end ---------------------------------------------------------------------------------- */

static void on_reaped(struct watched_child *child, int status)
{
	struct process *process =
		(struct process *)((char *)child - offsetof(struct process, child));

	process->is_reaped = true;
	process->status = status;
	if (process->hangs_up) {
		process_hang_up_reaped(process);
	} else if (process->ops == NULL) {
		process_destroy(process);
	} else if (process->on_report != NULL) {
		event_active(process->on_report, EV_READ, 1);
	} else if (process_io_is_over(process)) {
		process_check_end(process);
	} else {
		process_io_reaped(process);
	}
}

void process_let_go(struct process *process)
{
	process->ops = NULL;
	process_close_ends(process);
	if (!process->is_forked || process->is_reaped)
		process_destroy(process);
	else
		kill(process->child.pid, SIGKILL);
}
