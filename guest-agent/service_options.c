/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/service_options.h"

#include <getopt.h>
#include <stdbool.h>

#include "config/settings_man.h"

static const struct option_text texts[] = {
	{ "-s, --service", NULL, "serve execs in a machine that has an init of its own" },
	{ "-r, --root", "DIR", "what they have as / (default: /)" },
	{ "-d, --socket-dir", "DIR", "serve at unix sockets there instead of vsock" },
	{ "-h, --help", NULL, "print this text" },
	{ "-V, --version", NULL, "print the version" },
	{ NULL },
};

enum service_action service_options_parse(int argc, char **argv, struct service_options *options)
{
	static const struct option flags[] = {
		{ "service", no_argument, NULL, 's' },
		{ "root", required_argument, NULL, 'r' },
		{ "socket-dir", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL },
	};
	bool service = false;
	int flag;

	*options = (struct service_options) { .root = "/" };
	while ((flag = getopt_long(argc, argv, "sr:d:hV", flags, NULL)) != -1) {
		switch (flag) {
		case 's':
			service = true;
			break;
		case 'r':
			options->root = optarg;
			break;
		case 'd':
			options->socket_dir = optarg;
			break;
		case 'h':
			return SERVICE_HELP;
		case 'V':
			return SERVICE_VERSION;
		default:
			return SERVICE_USAGE;
		}
	}
	if (service && optind == argc)
		return SERVICE_RUN;
	service_options_print_help(stderr);
	return SERVICE_USAGE;
}

void service_options_print_help(FILE *out)
{
	fputs("Usage: sluice-agent --service [OPTION]...\n"
	      "Runs processes in a guest for sluice-vm. As process 1 it is the guest's init, and\n"
	      "takes no options.\n\n",
		out);
	option_text_print_help(texts, out);
	fputs("\nExit status: 0 ok, 1 it failed, 2 wrong usage.\n", out);
}

void service_options_print_man(FILE *out)
{
	option_text_man(texts, out);
}
