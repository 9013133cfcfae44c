/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-vm doctor: would `run` work here, with the same settings? */

#include <stdio.h>
#include <string.h>

#include "config/settings_man.h"
#include "launcher/cli/run_options.h"
#include "launcher/cli/verb.h"
#include "launcher/doctor/doctor.h"

/* Takes `--json` out of the words before "--". */
static bool take_json(char **words)
{
	bool found = false;
	char **kept = words;

	for (; *words != NULL && strcmp(*words, "--") != 0; words++) {
		if (strcmp(*words, "--json") == 0)
			found = true;
		else
			*kept++ = *words;
	}
	*kept = NULL;
	return found;
}

static enum verb_status examine(const struct run_options *options, bool json, struct err *err)
{
	struct doctor d;
	int ret;

	doctor_examine(&d, &options->settings, &options->volumes);
	ret = doctor_print(&d, json, err);
	return ret < 0 || d.failed ? VERB_FAILED : VERB_OK;
}

static const struct option_text own[] = {
	{ "--json", NULL, "print one JSON object" },
	{ NULL },
};

static void print_help(void)
{
	fputs("Usage: sluice-vm doctor [--json] [OPTION]...\n"
	      "Looks at what sluice-vm run would need here, with the same options, and changes\n"
	      "nothing. A line for each thing: ok, warn or fail, its name, what was found, and "
	      "what\n"
	      "could be done.\n\n",
		stdout);
	option_text_print_help(own, stdout);
	fputs("\nAll other options are those of sluice-vm run (see sluice-vm run --help).\n"
	      "\nExit status: 0 nothing failed, 1 something did, 2 wrong usage.\n",
		stdout);
}

enum verb_status doctor_verb(int argc, char **argv, struct err *err)
{
	bool json = take_json(argv + 1);
	struct run_options options;
	enum verb_status status;

	if (run_options_parse(argv + 1, &options, err) < 0) {
		status = VERB_USAGE;
	} else if (options.help) {
		print_help();
		status = VERB_OK;
	} else {
		status = examine(&options, json, err);
	}
	run_options_free(&options);
	return status;
}

void doctor_verb_man(FILE *out)
{
	option_text_man(own, out);
	fputs(".PP\nAll other options are those of\n.BR run .\n", out);
}
