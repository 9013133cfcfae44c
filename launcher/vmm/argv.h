/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A command line that is being put together: words for execve(2). Memory that runs out is noted and
 * told by argv_check(), so that whoever adds need not look.
 */

#include <stdbool.h>
#include <stddef.h>

struct argv {
	char **words; /* NULL-terminated once there is one; they own their memory */
	size_t n;
	bool failed;
};

void argv_add(struct argv *argv, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 0, or -ENOMEM: words are missing. */
int argv_check(const struct argv *argv);

void argv_free(struct argv *argv);

#define cleanup_argv __attribute__((cleanup(argv_free)))
