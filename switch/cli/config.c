/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"
#include "switch/cli/field.h"

void config_show_print(const json_t *configs, FILE *out)
{
	json_dumpf(json_array_get(configs, 0), out, JSON_INDENT(2));
	fputc('\n', out);
}

void config_changes_print(const json_t *answer, FILE *out)
{
	const json_t *changes = json_object_get(json_array_get(answer, 0), "changes");
	const json_t *change;
	size_t i;

	if (json_array_size(changes) == 0)
		fputs("no changes\n", out);
	json_array_foreach (changes, i, change) {
		const char *name = field_text(change, "name", NULL);

		fprintf(out, "%s%s%s\n", field_text(change, "what", "?"), name != NULL ? " " : "",
			name != NULL ? name : "");
	}
}
