/* SPDX-License-Identifier: BSD-3-Clause */

/* sluicectl: asks a running sluiced over its control socket and prints the answer. */

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "switch/cli/options.h"

enum { STATUS_OK, STATUS_FAILED, STATUS_USAGE };

static void pause_ms(unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* Between two answers: a terminal starts at the top again, a file gets them one after the other. */
static void next_page(const struct cli_options *opts)
{
	if (isatty(STDOUT_FILENO) && !opts->json)
		fputs("\033[H\033[J", stdout);
	else if (!opts->json)
		fputc('\n', stdout);
}

static int run(const struct cli_options *opts, struct err *err)
{
	for (;;) {
		int ret = command_run(
			opts->command, opts->name, opts->socket_path, opts->json, stdout, err);

		if (ret < 0 || opts->watch_ms == 0)
			return ret;
		pause_ms(opts->watch_ms);
		next_page(opts);
	}
}

int main(int argc, char **argv)
{
	struct cli_options opts;
	struct err err = { 0 };
	char text[COMMAND_TEXT_MAX];

	if (cli_options_parse(argc, argv, &opts, &err) < 0) {
		fprintf(stderr, "sluicectl: %s\n", err.text);
		return STATUS_USAGE;
	}
	if (opts.action == CLI_HELP) {
		cli_options_print_help(stdout);
		return STATUS_OK;
	}
	if (opts.action == CLI_VERSION) {
		printf("sluicectl %s\n", SLUICE_VERSION);
		return STATUS_OK;
	}
	if (run(&opts, &err) < 0) {
		fprintf(stderr, "sluicectl: %s: %s\n", command_text(opts.command, text), err.text);
		return STATUS_FAILED;
	}
	return STATUS_OK;
}
