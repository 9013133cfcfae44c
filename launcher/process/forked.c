/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/process/forked.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By its number: nothing but main.c ends this program, and this is another process. */
void forked_end(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

void forked_reset_signals(void)
{
	const struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* SIGKILL, SIGSTOP and the C library's own refuse, and need no reset. */
	for (int signo = 1; signo <= SIGRTMAX; signo++)
		sigaction(signo, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

bool forked_die_with(int parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

int forked_set_stdio(int in, int out, int err)
{
	int fds[3] = { in, out, err };

	/* Out of the way first: one may be where another has to go. */
	for (int i = 0; i < 3; i++) {
		if (fds[i] < 0)
			fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fds[i] >= 0)
			fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			return -errno;
	}
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			return -errno;
	return 0;
}
