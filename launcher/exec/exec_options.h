/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The command line of sluice-exec: settings, then `--`, then the command.
 *
 * The environment that the program was started with belongs to the command, if to anybody: it is
 * bytes that are passed on with --inherit-env and never read.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

#define EXEC_NAME_MAX 128

enum exec_action { EXEC_ACTION_RUN, EXEC_ACTION_HELP, EXEC_ACTION_VERSION };

struct exec_options {
	enum exec_action action;
	char name[EXEC_NAME_MAX], run_dir[PATH_MAX];
	char socket[PATH_MAX]; /* given, or made of both */
	char user[EXEC_NAME_MAX * 2];
	char *groups; /* to be freed; NULL: not said, "": none */
	char cwd[PATH_MAX];
	char env_file[PATH_MAX];
	bool tty, interactive, inherit_env, guest_home;
	uint32_t timeout_s;
	char **command;  /* into argv */
	char **env;      /* to be freed; its strings are in argv, environ or env_bytes */
	char *env_bytes; /* to be freed */
};

/*
 * Splits argv, which is reordered, and collects the command's environment: of `environ` if asked
 * for, then of the file, then of --env; what comes later replaces what has the same name. The
 * caller frees *opts, whatever is returned. -EINVAL, or why the file cannot be read.
 */
int exec_options_parse(int argc, char **argv, char *const *environment, struct exec_options *opts,
	struct err *err);

void exec_options_free(struct exec_options *opts);

void exec_options_print_help(const char *program, FILE *out);

/* The options for a manual page: entries of a list. */
void exec_options_print_man(FILE *out);
