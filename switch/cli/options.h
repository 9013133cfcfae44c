/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The command line of sluicectl. */

#include <stdbool.h>
#include <stdio.h>

#include "lib/err.h"
#include "switch/cli/command.h"

enum cli_action { CLI_RUN, CLI_HELP, CLI_VERSION };

struct cli_options {
	enum cli_action action;
	const char *socket_path;
	bool json;
	unsigned watch_ms;      /* 0: ask once */
	struct request request; /* for CLI_RUN; to be freed */
};

/* Strings point into argv or the environment. Returns 0, -EINVAL for a wrong usage, or the error of
 * reading a file that is an argument. opts->request may be set also on failure, and is to be freed.
 */
int cli_options_parse(int argc, char **argv, struct cli_options *opts, struct err *err);

void cli_options_print_help(FILE *out);

/* The options for a manual page: entries of a list. */
void cli_options_print_man(FILE *out);
