/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The command line of sluiced: what to do, with which file, and settings that override it. */

#include <stdio.h>

#include "lib/err.h"

#define SLUICED_CONFIG_PATH "/etc/sluice/sluiced.json"

enum sluiced_action {
	SLUICED_RUN,
	SLUICED_CHECK, /* load the configuration, say whether it is good, start nothing */
	SLUICED_HELP,
	SLUICED_VERSION,
};

struct sluiced_options {
	enum sluiced_action action;
	const char *config_path; /* points into argv, or to SLUICED_CONFIG_PATH */
	char *const *settings;   /* for sluiced_config_load(): lives in argv */
};

/*
 * Splits argv (argv[argc] is NULL): -c/--config FILE, --check FILE, -h/--help and -V/--version are
 * taken, all other words are moved to the front, in order, and become opts->settings. Those are
 * judged by sluiced_config_load() only. Returns 0 or -EINVAL.
 */
int sluiced_options_parse(int argc, char **argv, struct sluiced_options *opts, struct err *err);

/* Prints --help, with every setting. */
void sluiced_options_print_help(FILE *out);

/* The options that are no settings, for a manual page: entries of a list. */
void sluiced_options_print_man(FILE *out);
