/* SPDX-License-Identifier: BSD-3-Clause */

/* sluicectl: asks a running sluiced over its control socket and prints the answer. */

#include <errno.h>
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
		int ret = request_run(&opts->request, opts->socket_path, opts->json, stdout, err);

		if (ret < 0 || opts->watch_ms == 0)
			return ret;
		pause_ms(opts->watch_ms);
		next_page(opts);
	}
}

/* "sluicectl: port show: ...": the command, where there is one. */
static int complain(const struct cli_options *opts, const struct err *err, int status)
{
	char text[COMMAND_TEXT_MAX];

	fputs("sluicectl: ", stderr);
	if (opts->request.command != NULL)
		fprintf(stderr, "%s: ", command_text(opts->request.command, text));
	fprintf(stderr, "%s\n", err->text);
	return status;
}

static int act(struct cli_options *opts, int argc, char **argv)
{
	struct err err = { 0 };
	int ret = cli_options_parse(argc, argv, opts, &err);

	if (ret < 0)
		return complain(opts, &err, ret == -EINVAL ? STATUS_USAGE : STATUS_FAILED);
	if (opts->action == CLI_HELP)
		cli_options_print_help(stdout);
	else if (opts->action == CLI_VERSION)
		printf("sluicectl %s\n", SLUICE_VERSION);
	else if (run(opts, &err) < 0)
		return complain(opts, &err, STATUS_FAILED);
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	struct cli_options opts;
	int status = act(&opts, argc, argv);

	request_free(&opts.request);
	return status;
}
