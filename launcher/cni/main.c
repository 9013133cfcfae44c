/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-cni: a CNI plugin, which a container runtime calls. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/cni/cni_plugin.h"
#include "launcher/cni/cni_version.h"
#include "lib/standard_streams.h"

static const char help[] =
	"Usage: CNI_COMMAND=VERB [CNI_...=VALUE]... sluice-cni <CONFIGURATION\n"
	"A CNI plugin that does not touch the network: container runtimes call it.\n"
	"\n"
	"  -h, --help     print this text\n"
	"  -V, --version  print the version, and those of CNI\n";

static bool is(const char *word, const char *name, const char *short_name)
{
	return strcmp(word, name) == 0 || strcmp(word, short_name) == 0;
}

static int answer_word(const char *word)
{
	if (is(word, "--help", "-h")) {
		fputs(help, stdout);
		return EXIT_SUCCESS;
	}
	if (!is(word, "--version", "-V")) {
		fprintf(stderr, "sluice-cni: does not know \"%s\" (see --help)\n", word);
		return 2;
	}
	printf("sluice-cni %s (CNI", SLUICE_VERSION);
	for (unsigned i = 0; i < CNI_N_VERSIONS; i++)
		printf(" %s", cni_version_text((enum cni_version)i));
	puts(")");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct cni_environment env = {
		.command = getenv("CNI_COMMAND"),
		.container_id = getenv("CNI_CONTAINERID"),
		.netns = getenv("CNI_NETNS"),
		.ifname = getenv("CNI_IFNAME"),
	};
	json_t *answer = NULL;
	enum cni_code code;

	standard_streams_fill();
	if (argc > 1)
		return answer_word(argv[1]);
	code = cni_plugin_run(&env, STDIN_FILENO, &answer);
	if (answer != NULL && (json_dumpf(answer, stdout, JSON_INDENT(2)) < 0 || puts("") < 0))
		code = CNI_IO_FAILURE;
	if (fflush(stdout) != 0)
		code = CNI_IO_FAILURE;
	json_decref(answer);
	return code == CNI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
