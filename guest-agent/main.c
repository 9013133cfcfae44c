/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-agent: what runs in a guest, as its init or, with --service, beside one. */

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "guest-agent/init.h"
#include "guest-agent/service.h"

enum { STATUS_OK, STATUS_FAILED, STATUS_USAGE };

static void print_help(FILE *out)
{
	fputs("Usage: sluice-agent --service [OPTION]...\n"
	      "Runs processes in a guest for sluice-vm. As process 1 it is the guest's init, and\n"
	      "takes no options.\n\n"
	      "  -s, --service         serve execs in a machine that has an init of its own\n"
	      "  -r, --root DIR        what they have as / (default: /)\n"
	      "  -d, --socket-dir DIR  serve at unix sockets there instead of vsock\n"
	      "  -h, --help            print this text\n"
	      "  -V, --version         print the version\n"
	      "\nExit status: 0 ok, 1 it failed, 2 wrong usage.\n",
		out);
}

static int run_service(const struct service_options *options)
{
	struct err err = { "" };

	if (service_run(options, &err) == 0)
		return STATUS_OK;
	fprintf(stderr, "sluice-agent: %s\n", err.text);
	return STATUS_FAILED;
}

int main(int argc, char **argv)
{
	static const struct option flags[] = {
		{ "service", no_argument, NULL, 's' },
		{ "root", required_argument, NULL, 'r' },
		{ "socket-dir", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL },
	};
	struct service_options options = { .root = "/" };
	bool service = false;
	int flag;

	/* The kernel passes words of its command line on: they are not ours. */
	if (getpid() == 1)
		init_run();
	while ((flag = getopt_long(argc, argv, "sr:d:hV", flags, NULL)) != -1) {
		switch (flag) {
		case 's':
			service = true;
			break;
		case 'r':
			options.root = optarg;
			break;
		case 'd':
			options.socket_dir = optarg;
			break;
		case 'h':
			print_help(stdout);
			return STATUS_OK;
		case 'V':
			puts("sluice-agent " SLUICE_VERSION);
			return STATUS_OK;
		default:
			return STATUS_USAGE;
		}
	}
	if (!service || optind < argc) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	return run_service(&options);
}
