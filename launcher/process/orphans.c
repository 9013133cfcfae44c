/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * SIGCHLD says that some child has ended, perhaps several. waitid(2) with WNOWAIT shows one of them
 * and lets it be: an orphan is then waited for by its number. One of child.c's is a matter of its
 * pidfd, which the same loop is about to tell of; but until then it hides the others, so we look
 * again a moment later.
 */

#include "launcher/process/orphans.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "launcher/process/child.h"
#include "launcher/process/loop.h"

#define AGAIN_MS 20

struct orphans {
	struct event *ended; /* SIGCHLD */
	struct event *again;
};

/* The one that waitid(2) finds first; 0: none has ended. */
static pid_t find_ended(void)
{
	siginfo_t info = { .si_pid = 0 };
	int ret;

	do
		ret = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
	while (ret < 0 && errno == EINTR);
	return ret == 0 ? info.si_pid : 0;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct orphans *orphans = arg;
	pid_t pid;

	while ((pid = find_ended()) != 0) {
		if (child_is_ours(pid)) {
			(void)loop_set_timer(orphans->again, AGAIN_MS);
			return;
		}
		(void)waitpid(pid, NULL, WNOHANG);
	}
}

struct orphans *orphans_start(struct event_base *loop)
{
	struct orphans *orphans = calloc(1, sizeof(*orphans));

	if (orphans == NULL)
		return NULL;
	orphans->ended = evsignal_new(loop, SIGCHLD, on_ended, orphans);
	orphans->again = evtimer_new(loop, on_ended, orphans);
	if (orphans->ended != NULL && orphans->again != NULL &&
		event_add(orphans->ended, NULL) == 0)
		return orphans;
	orphans_stop(orphans);
	return NULL;
}

void orphans_stop(struct orphans *orphans)
{
	if (orphans == NULL)
		return;
	if (orphans->ended != NULL)
		event_free(orphans->ended);
	if (orphans->again != NULL)
		event_free(orphans->again);
	free(orphans);
}
