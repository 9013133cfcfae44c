/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/exec/exec_tty.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int set(int fd, const struct termios *mode)
{
	int ret;

	do {
		ret = tcsetattr(fd, TCSANOW, mode);
	} while (ret < 0 && errno == EINTR);
	return ret;
}

void exec_tty_make_raw(struct exec_tty *tty, int fd)
{
	struct termios raw;

	if (tty->raw || tcgetattr(fd, &tty->before) < 0)
		return;
	raw = tty->before;
	cfmakeraw(&raw);
	tty->raw = set(fd, &raw) == 0;
}

void exec_tty_restore(struct exec_tty *tty, int fd)
{
	pid_t in_front = tcgetpgrp(fd);

	/* -1: it is not the terminal of our session, and has no jobs that we know of. */
	if (tty->raw && (in_front < 0 || in_front == getpgrp()))
		(void)set(fd, &tty->before);
	tty->raw = false;
}

bool exec_tty_window(struct agent_window *window)
{
	static const int fds[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	struct winsize size;

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (ioctl(fds[i], TIOCGWINSZ, &size) < 0)
			continue;
		*window = (struct agent_window) { .rows = size.ws_row, .columns = size.ws_col };
		return true;
	}
	return false;
}
