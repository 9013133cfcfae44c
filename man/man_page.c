/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * man_page NAME SECTION TEMPLATE: prints a manual page. Runs when Sluice is built, and is not
 * installed. What the programs know of themselves (options, settings, verbs, commands) comes from
 * the tables that they work by, where the template has a line such as @verbs@; the rest is the
 * template's.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/roff.h"
#include "config/runtime_settings.h"
#include "config/sluiced_config.h"
#include "config/sluiced_options.h"
#include "config/vsock_config.h"
#include "guest-agent/service_options.h"
#include "launcher/cli/verb.h"
#include "launcher/exec/exec_options.h"
#include "launcher/oci/runtime_help.h"
#include "switch/cli/command.h"
#include "switch/cli/options.h"

static const struct part {
	const char *mark;
	void (*print)(FILE *out);
} parts[] = {
	{ "@agent-options@", service_options_print_man },
	{ "@exec-options@", exec_options_print_man },
	{ "@runtime-options@", runtime_help_print_man },
	{ "@runtime-settings@", runtime_settings_print_man },
	{ "@sluicectl-commands@", command_print_man },
	{ "@sluicectl-options@", cli_options_print_man },
	{ "@sluiced-options@", sluiced_options_print_man },
	{ "@sluiced-settings@", sluiced_config_print_man },
	{ "@verbs@", verb_print_man },
	{ "@vsock-options@", vsock_config_print_man },
};

#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static const struct part *find(const char *line)
{
	for (const struct part *p = parts; p < parts + N_PARTS; p++)
		if (strncmp(line, p->mark, strlen(p->mark)) == 0)
			return p;
	return NULL;
}

static void print_title(const char *name, const char *section)
{
	fputs(".TH ", stdout);
	for (const char *c = name; *c != '\0'; c++)
		printf("%s%c", *c == '-' ? "\\" : "", toupper((unsigned char)*c));
	printf(" %s \"\" \"Sluice " SLUICE_VERSION "\" \"Sluice\"\n", section);
	/* Names of options and variables are not to be taken apart. */
	fputs(".nh\n.ad l\n", stdout);
}

/* The template without its comments: the first would hide the title from whoever looks for it. */
static int print_page(FILE *template)
{
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	while (ret == 0 && getline(&line, &size, template) > 0) {
		const struct part *part = find(line);

		if (part != NULL)
			part->print(stdout);
		else if (line[0] == '@')
			ret = fprintf(stderr, "man_page: nothing is called %s", line);
		else if (strncmp(line, ".\\\"", 3) != 0)
			fputs(line, stdout);
	}
	free(line);
	return ret;
}

int main(int argc, char **argv)
{
	FILE *template = argc == 4 ? fopen(argv[3], "re") : NULL;
	int ret;

	if (template == NULL) {
		fprintf(stderr, "man_page: %s\n",
			argc == 4 ? strerror(errno) : "want NAME SECTION TEMPLATE");
		return EXIT_FAILURE;
	}
	print_title(argv[1], argv[2]);
	ret = print_page(template);
	fclose(template);
	if (fflush(stdout) != 0 || ferror(stdout))
		return EXIT_FAILURE;
	return ret == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
