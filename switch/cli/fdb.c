/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"
#include "switch/cli/field.h"
#include "switch/cli/table.h"

/* "static,local"; without flags, the entry's state. */
static const char *flags_text(const json_t *entry, char *text, size_t size)
{
	const json_t *word;
	size_t len = 0;
	size_t i;

	snprintf(text, size, "%s", field_text(entry, "state", "-"));
	json_array_foreach (json_object_get(entry, "flags"), i, word) {
		if (json_is_string(word) && len < size)
			len += (size_t)snprintf(text + len, size - len, "%s%s", len > 0 ? "," : "",
				json_string_value(word));
	}
	return text;
}

void fdb_show_print(const json_t *entries, FILE *out)
{
	static const struct table_column columns[] = {
		{ "MAC" },
		{ "VLAN", .right = true },
		{ "PORT" },
		{ "AGE", .right = true },
		{ "FLAGS" },
	};
	struct table table = TABLE(columns);
	const json_t *entry;
	size_t i;

	json_array_foreach (entries, i, entry) {
		char number[NUMBER_TEXT_MAX];
		char flags[128];

		table_cell(&table, "%s", field_text(entry, "mac", "?"));
		table_cell(&table, "%s", field_number(entry, "vlan", "-", number));
		table_cell(&table, "%s", field_text(entry, "ifname", "?"));
		table_cell(&table, "%s", field_number(entry, "age", "-", number));
		table_cell(&table, "%s", flags_text(entry, flags, sizeof(flags)));
	}
	table_finish(&table, out);
}
