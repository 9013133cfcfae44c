/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/reaper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <event2/event.h>

struct reaper {
	struct event *on_sigchld;
	LIST_HEAD(, watched_child) children;
};

static void tell(struct reaper *reaper, pid_t pid, int status)
{
	struct watched_child *child;

	LIST_FOREACH(child, &reaper->children, link)
	if (child->pid == pid)
		break;
	if (child == NULL)
		return;
	LIST_REMOVE(child, link);
	child->ended(child, status);
}

/* One signal may stand for several children. */
static void on_sigchld(evutil_socket_t signo, short what, void *arg)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		tell(arg, pid, status);
}

struct reaper *reaper_new(struct event_base *loop)
{
	struct reaper *reaper = calloc(1, sizeof(*reaper));

	if (reaper == NULL)
		return NULL;
	LIST_INIT(&reaper->children);
	reaper->on_sigchld = evsignal_new(loop, SIGCHLD, on_sigchld, reaper);
	if (reaper->on_sigchld == NULL || event_add(reaper->on_sigchld, NULL) < 0) {
		reaper_free(reaper);
		return NULL;
	}
	/* Some may have ended before anybody listened. */
	event_active(reaper->on_sigchld, EV_SIGNAL, 1);
	return reaper;
}

void reaper_watch(struct reaper *reaper, struct watched_child *child)
{
	LIST_INSERT_HEAD(&reaper->children, child, link);
}

void reaper_forget(struct watched_child *child)
{
	LIST_REMOVE(child, link);
}

void reaper_wait(struct reaper *reaper)
{
	while (!LIST_EMPTY(&reaper->children)) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);

		if (pid > 0)
			tell(reaper, pid, status);
		else if (errno != EINTR)
			break;
	}
}

void reaper_free(struct reaper *reaper)
{
	if (reaper == NULL)
		return;
	if (reaper->on_sigchld != NULL)
		event_free(reaper->on_sigchld);
	free(reaper);
}
