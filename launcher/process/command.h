/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A program that is run to its end while the caller waits: mke2fs, debugfs, virtiofsd --help. It is
 * a child as others are (child.h), with stdin /dev/null.
 *
 * Thread-safety: main thread, outside of any event loop's call.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct command {
	char *const *argv;     /* argv[0]: absolute, or looked up in PATH; NULL-terminated */
	unsigned timeout_s;    /* 0: none */
	uint64_t capabilities; /* as child_plan.capabilities */
	int out;               /* gets its stdout; -1: that goes to `text` as well */
	int fd;                /* a descriptor that it gets by the same number; -1: none */
};

/*
 * What it says on stderr, cut to fit, is written into text[size] and ended by NUL. *status is its
 * wait status, as of waitpid(2). 0: it ran, whatever came of it; -ENOENT ... : it could not be
 * executed; -ETIMEDOUT: it was killed.
 */
int command_run(
	const struct command *command, char *text, size_t size, int *status, struct err *err);

/* As command_run(), and anything but exit status 0 is -EIO with the last line that it said. */
int command_must(const struct command *command, char *text, size_t size, struct err *err);
