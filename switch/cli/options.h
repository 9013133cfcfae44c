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
	unsigned watch_ms;             /* 0: ask once */
	const struct command *command; /* set for CLI_RUN */
	const char *name;              /* of a port, or NULL */
};

/* Strings point into argv or the environment. Returns 0 or -EINVAL. */
int cli_options_parse(int argc, char **argv, struct cli_options *opts, struct err *err);

void cli_options_print_help(FILE *out);
