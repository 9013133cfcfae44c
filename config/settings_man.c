/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/settings_man.h"

#include "config/roff.h"
#include "config/setting_allowed.h"

#define NAME_SIZE   64
#define ALLOWED_MAX 512

static void print_value(const struct settings *table, const struct setting *row, FILE *out)
{
	char allowed[ALLOWED_MAX], variable[SETTINGS_ENV_NAME_MAX];

	roff_text(setting_allowed(row, allowed, sizeof(allowed)), out);
	if (row->required)
		fputs("; required", out);
	else if (setting_is_composite(row))
		fputs("; only in the file", out);
	else
		fputs("; default ", out);
	if (!row->required && !setting_is_composite(row))
		roff_text(row->preset != NULL ? row->preset : "none", out);
	if (table->env_prefix != NULL && !setting_is_composite(row)) {
		settings_env_name(table, row, variable);
		fprintf(out, "; %s", variable);
	}
	roff_text(setting_annotated(row, allowed, sizeof(allowed)), out);
	fputs(".\n", out);
}

/* What stands for the value. */
static const char *unit_of(const struct setting *row)
{
	if (row->unit != NULL || row->type == SETTING_BOOL || setting_is_composite(row))
		return row->unit;
	return "WORD";
}

void settings_man(const struct settings *table, unsigned groups, const char *lead, FILE *out)
{
	for (const struct setting *row = table->rows; row < table->rows + table->n_rows; row++) {
		char name[NAME_SIZE];

		if (groups != 0 && row->groups != 0 && (row->groups & groups) == 0)
			continue;
		snprintf(name, sizeof(name), "%s%s", setting_is_composite(row) ? "" : lead,
			row->name);
		roff_entry(name, unit_of(row), out);
		roff_text(row->help, out);
		fputs(".\n.br\n", out);
		print_value(table, row, out);
	}
}

void option_text_print_help(const struct option_text *options, FILE *out)
{
	for (; options->names != NULL; options++)
		fprintf(out, "  %s%s%s\n        %s\n", options->names,
			options->unit != NULL ? " " : "",
			options->unit != NULL ? options->unit : "", options->help);
}

void option_text_man(const struct option_text *options, FILE *out)
{
	for (; options->names != NULL; options++) {
		roff_entry(options->names, options->unit, out);
		roff_text(options->help, out);
		fputs(".\n", out);
	}
}
