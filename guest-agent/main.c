/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-agent: what runs in a guest, as its init or, with --service, beside one. */

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "guest-agent/init.h"
#include "guest-agent/service_options.h"

enum { STATUS_OK, STATUS_FAILED, STATUS_USAGE };

static int run_service(const struct service_options *options)
{
	struct err err = { "" };

	if (service_run(options, &err) == 0)
		return STATUS_OK;
	fprintf(stderr, "sluice-agent: %s\n", err.text);
	return STATUS_FAILED;
}

/* Room for the buffers of a few execs is kept, rather than got and given back by each. */
#define KEPT (4 << 20)

int main(int argc, char **argv)
{
	struct service_options options;

	(void)mallopt(M_MMAP_THRESHOLD, KEPT);
	(void)mallopt(M_TRIM_THRESHOLD, KEPT);
	/* The kernel passes words of its command line on: they are not ours. */
	if (getpid() == 1)
		init_run();
	switch (service_options_parse(argc, argv, &options)) {
	case SERVICE_RUN:
		return run_service(&options);
	case SERVICE_HELP:
		service_options_print_help(stdout);
		return STATUS_OK;
	case SERVICE_VERSION:
		puts("sluice-agent " SLUICE_VERSION);
		return STATUS_OK;
	case SERVICE_USAGE:
		break;
	}
	return STATUS_USAGE;
}
