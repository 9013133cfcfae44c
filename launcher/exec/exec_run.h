/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * One command from its start to its end, as if it ran here: on our stdin, stdout and stderr, with
 * our signals and our terminal.
 */

#include "launcher/exec/exec_options.h"
#include "lib/err.h"

enum exec_status {
	EXEC_STATUS_LOST = 125,    /* the connection broke while it ran */
	EXEC_STATUS_NOT_RUN = 126, /* or cannot be run */
	EXEC_STATUS_SIGNALLED = 128,
};

/*
 * The exit status to end with; a message in *err if it is not the command's own. Blocks until its
 * end. SIGPIPE is ignored from here on.
 */
int exec_run(const struct exec_options *opts, struct err *err);
