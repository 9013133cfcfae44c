/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>

#include "config/settings_man.h"

#define DEFAULT_SOCKET "/run/sluice/sluiced.sock"
#define WATCH_MIN_S    0.1
#define WATCH_MAX_S    3600.0

static int parse_watch(const char *text, unsigned *watch_ms, struct err *err)
{
	double seconds = 1;
	char *end = NULL;

	if (text != NULL)
		seconds = strtod(text, &end);
	if ((text != NULL && (end == text || *end != '\0')) || !(seconds >= WATCH_MIN_S) ||
		seconds > WATCH_MAX_S)
		return err_set(err, -EINVAL,
			"--watch: \"%s\" is not a number of seconds: use %.1f to %.0f", text,
			WATCH_MIN_S, WATCH_MAX_S);
	*watch_ms = (unsigned)lround(seconds * 1000);
	return 0;
}

static const char *default_socket(void)
{
	const char *path = getenv("SLUICE_CONTROL_SOCKET");

	return path != NULL && path[0] != '\0' ? path : DEFAULT_SOCKET;
}

static int parse_flags(int argc, char **argv, struct cli_options *opts, struct err *err)
{
	static const struct option flags[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "socket", required_argument, NULL, 's' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL },
	};
	int flag;

	while ((flag = getopt_long(argc, argv, ":js:hV", flags, NULL)) != -1) {
		switch (flag) {
		case 'j':
			opts->json = true;
			break;
		case 's':
			opts->socket_path = optarg;
			break;
		case 'w':
			if (parse_watch(optarg, &opts->watch_ms, err) < 0)
				return -EINVAL;
			break;
		case 'h':
			opts->action = CLI_HELP;
			return 0;
		case 'V':
			opts->action = CLI_VERSION;
			return 0;
		case ':':
			return err_set(
				err, -EINVAL, "%s: needs a value: see --help", argv[optind - 1]);
		default:
			return err_set(err, -EINVAL,
				"%s: unknown option or unexpected value: "
				"see --help",
				argv[optind - 1]);
		}
	}
	return 0;
}

int cli_options_parse(int argc, char **argv, struct cli_options *opts, struct err *err)
{
	int ret;

	*opts = (struct cli_options) { .action = CLI_RUN, .socket_path = default_socket() };
	opterr = 0;
	optind = 0; /* GNU: start over, also when called more than once */
	ret = parse_flags(argc, argv, opts, err);
	if (ret < 0 || opts->action != CLI_RUN)
		return ret;
	ret = request_parse(&opts->request, argv + optind, (size_t)(argc - optind), err);
	if (ret == 0 && opts->watch_ms != 0 && !opts->request.command->repeatable)
		ret = err_set(err, -EINVAL, "--watch is only for what shows the state of things");
	return ret;
}

static const struct option_text options[] = {
	{ "-j, --json", NULL, "print the answer as a JSON array; of events, an object a line" },
	{ "-s, --socket", "PATH",
		"control socket of sluiced (default " DEFAULT_SOCKET "; SLUICE_CONTROL_SOCKET)" },
	{ "--watch[=S]", NULL, "ask again every S seconds (default 1)" },
	{ "-h, --help", NULL, "print this text" },
	{ "-V, --version", NULL, "print the version of sluicectl" },
	{ NULL },
};

void cli_options_print_help(FILE *out)
{
	fputs("Usage: sluicectl [OPTION]... COMMAND\n"
	      "Shows what sluiced is doing, and changes it.\n\nCommands:\n",
		out);
	command_print_help(out);
	fputs("\nOptions:\n", out);
	option_text_print_help(options, out);
	fputs("\nThe keys of a port are those of the configuration file: see sluiced --help.\n"
	      "\nExit status: 0 ok, 1 sluiced could not be asked or refused, 2 wrong usage.\n",
		out);
}

void cli_options_print_man(FILE *out)
{
	option_text_man(options, out);
}
