/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/small_init.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What they wait for to end is the child, and what it leaves behind. */
static void reap(pid_t child)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) != 0) {
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return;
		if (pid == child)
			_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
}

/* Blocked signals are not ignored, even in a process 1, and wait to be taken. */
_Noreturn static void serve(pid_t child, const sigset_t *all)
{
	close_range(0, UINT_MAX, 0);
	for (;;) {
		int signo = sigwaitinfo(all, NULL);

		if (signo == SIGCHLD)
			reap(child);
		else if (signo > 0)
			kill(child, signo);
	}
}

int small_init_begin(struct err *err)
{
	sigset_t all;
	pid_t child;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_errno(err, errno, "cannot bind the init to the agent");
	prctl(PR_SET_NAME, "sluice-init"); /* the child's, too, until it executes its program */
	child = fork();
	if (child < 0)
		return err_errno(err, errno, "cannot fork");
	if (child > 0)
		serve(child, &all);
	return 0;
}
