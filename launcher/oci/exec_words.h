/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * An exec whose command is on the line:
 *
 *   runc exec --tty --user 33 --env A=1 ID id -u
 *   runc exec --tty --env A=1 ID sluice-exec --interactive --inherit-env --tty --user 33 -- id -u
 *
 * What is about the command goes to the client, what is about the process stays. Options that are
 * not known, or that a client cannot have, are refused.
 */

#include <limits.h>

#include "config/runtime_settings.h"
#include "launcher/oci/runtime_words.h"
#include "lib/err.h"

#define EXEC_GROUPS_MAX 4096

struct exec_line {
	char **argv; /* ends with NULL; to be freed. Its words are others', or are here: */
	char client[PATH_MAX];
	char groups[EXEC_GROUPS_MAX];
};

/* line->client is sluice-exec's path in the machine root. 1: the command stays where it is, there
 * is no other line. -EINVAL, -ENOTSUP, -EPERM: one line says what is in the way. */
int exec_words_convert(const struct runtime_words *words, char *const *argv,
	const struct runtime_settings *settings, struct exec_line *line, struct err *err);
