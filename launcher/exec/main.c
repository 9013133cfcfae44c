/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * sluice-exec: a command in a VM, as if it ran here. Static, because it is started with whatever
 * environment the command is to have: no LD_PRELOAD, no locale and no name service reach it.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launcher/exec/exec_options.h"
#include "launcher/exec/exec_run.h"
#include "launcher/exec/exec_start.h"

static int act(const char *program, const struct exec_options *opts, struct err *err)
{
	switch (opts->action) {
	case EXEC_ACTION_HELP:
		exec_options_print_help(program, stdout);
		return 0;
	case EXEC_ACTION_VERSION:
		printf("sluice-exec %s\n", SLUICE_VERSION);
		return 0;
	case EXEC_ACTION_RUN:
		break;
	}
	return exec_run(opts, err);
}

int main(int argc, char **argv)
{
	const char *program = argc > 0 ? argv[0] : "sluice-exec";
	int status = EXEC_STATUS_NOT_RUN;
	struct exec_options opts;
	struct err err = { "" };

	if (exec_options_parse(argc, argv, exec_start_environ(), &opts, &err) == 0)
		status = act(program, &opts, &err);
	if (err.text[0] != '\0')
		dprintf(STDERR_FILENO, "%s: %s%s\n", program,
			status == EXEC_STATUS_LOST ? "connection lost: " : "", err.text);
	exec_options_free(&opts);
	return status;
}
