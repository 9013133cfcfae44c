/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/sluiced_options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "config/roff.h"
#include "config/sluiced_config.h"

enum { N_OPTIONS = 4 };

static const struct option_row {
	const char *short_name, *long_name;
	const char *value; /* NULL: takes none */
	enum sluiced_action action;
	const char *help;
} rows[N_OPTIONS] = {
	{ "-c", "--config", "FILE", SLUICED_RUN,
		"the configuration (default " SLUICED_CONFIG_PATH ")" },
	{ NULL, "--check", "FILE", SLUICED_CHECK,
		"check FILE, report the first error in one line (exit 2), start nothing" },
	{ "-h", "--help", NULL, SLUICED_HELP, "print this text" },
	{ "-V", "--version", NULL, SLUICED_VERSION, "print the version" },
};

/* NULL: not one of ours. *value is what follows '=', or NULL. */
static const struct option_row *find(const char *word, const char **value)
{
	for (const struct option_row *row = rows; row < rows + N_OPTIONS; row++) {
		size_t len = strlen(row->long_name);

		*value = NULL;
		if (row->short_name != NULL && strcmp(word, row->short_name) == 0)
			return row;
		if (strncmp(word, row->long_name, len) != 0)
			continue;
		if (word[len] == '=')
			*value = word + len + 1;
		if (word[len] == '\0' || word[len] == '=')
			return row;
	}
	return NULL;
}

int sluiced_options_parse(int argc, char **argv, struct sluiced_options *opts, struct err *err)
{
	char **kept = argv + (argc > 0);

	*opts = (struct sluiced_options) { .config_path = SLUICED_CONFIG_PATH, .settings = kept };
	for (char **word = kept; argc > 0 && *word != NULL; word++) {
		const char *value;
		const struct option_row *row = find(*word, &value);

		if (row == NULL) {
			*kept++ = *word;
			continue;
		}
		if (row->value == NULL && value != NULL)
			return err_set(err, -EINVAL, "%s: takes no value", row->long_name);
		if (row->value != NULL && value == NULL && (value = *++word) == NULL)
			return err_set(err, -EINVAL, "%s: needs a %s", row->long_name, row->value);
		if (value != NULL)
			opts->config_path = value;
		if (row->action > opts->action)
			opts->action = row->action;
	}
	*kept = NULL;
	return 0;
}

void sluiced_options_print_help(FILE *out)
{
	fputs("Usage: sluiced [OPTION]...\n"
	      "A userspace switch for virtual machines: vhost-user, packet sockets, DPDK "
	      "devices.\n\n",
		out);
	for (const struct option_row *row = rows; row < rows + N_OPTIONS; row++)
		fprintf(out, "  %s%s%s%s%s\n        %s\n",
			row->short_name != NULL ? row->short_name : "",
			row->short_name != NULL ? ", " : "", row->long_name,
			row->value != NULL ? " " : "", row->value != NULL ? row->value : "",
			row->help);
	fputc('\n', out);
	sluiced_config_print_help(out);
}

void sluiced_options_print_man(FILE *out)
{
	for (const struct option_row *row = rows; row < rows + N_OPTIONS; row++) {
		char names[40];

		snprintf(names, sizeof(names), "%s%s%s",
			row->short_name != NULL ? row->short_name : "",
			row->short_name != NULL ? ", " : "", row->long_name);
		roff_entry(names, row->value, out);
		roff_text(row->help, out);
		fputs(".\n", out);
	}
}
