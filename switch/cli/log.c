/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"
#include "switch/cli/field.h"

void log_show_print(const json_t *logs, FILE *out)
{
	const json_t *log;
	size_t i;

	json_array_foreach (logs, i, log) {
		const char *key;
		json_t *value;

		json_object_foreach ((json_t *)log, key, value) {
			char text[VALUE_TEXT_MAX];

			fprintf(out, "%s: %s\n", key, value_text(value, text));
		}
	}
}
