/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The terminal that the caller sits at: raw while the guest's terminal is in charge of echo, line
 * editing and ^C, and as it was in every other moment.
 *
 * Thread-safety: of one thread.
 */

#include <stdbool.h>
#include <termios.h>

#include "lib/agent_wire.h"

struct exec_tty {
	bool raw;
	struct termios before;
};

/* Makes fd's terminal raw; nothing if it is none. In a background job this stops the process, as
 * any change to a terminal does. */
void exec_tty_make_raw(struct exec_tty *tty, int fd);

/* As it was; nothing if it is not raw, or if another job has the terminal by now. */
void exec_tty_restore(struct exec_tty *tty, int fd);

/* The size of the first terminal among stdin, stdout and stderr. False: there is none. */
bool exec_tty_window(struct agent_window *window);
