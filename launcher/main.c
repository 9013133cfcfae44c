/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm: everything around a virtual machine in a pod, one verb for each thing. */

#include <stdio.h>
#include <string.h>

#include "launcher/cli/verb.h"
#include "lib/standard_streams.h"

static int unknown(const char *name)
{
	fprintf(stderr, "sluice-vm: there is no verb \"%s\" (sluice-vm --help lists them)\n", name);
	return VERB_USAGE;
}

int main(int argc, char **argv)
{
	const struct verb *verb = argc > 1 ? verb_find(argv[1]) : NULL;
	struct err err = { "" };
	enum verb_status status;

	standard_streams_fill();
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		verb_print_help(argc < 2 ? stderr : stdout);
		return argc < 2 ? VERB_USAGE : VERB_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("sluice-vm %s\n", SLUICE_VERSION);
		return VERB_OK;
	}
	if (verb == NULL)
		return unknown(argv[1]);
	status = verb->run(argc - 1, argv + 1, &err);
	if (status != VERB_OK && err.text[0] != '\0')
		fprintf(stderr, "sluice-vm %s: %s\n", verb->name, err.text);
	return status;
}
