/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"
#include "switch/cli/field.h"
#include "switch/cli/table.h"

void neighbour_show_print(const json_t *neighbours, FILE *out)
{
	static const struct table_column columns[] = {
		{ "ADDRESS" },
		{ "MAC" },
		{ "STATE" },
		{ "AGE", .right = true },
		{ "PART" },
	};
	struct table table = TABLE(columns);
	const json_t *entry;
	size_t i;

	json_array_foreach (neighbours, i, entry) {
		char number[NUMBER_TEXT_MAX];

		table_cell(&table, "%s", field_text(entry, "dst", "?"));
		table_cell(&table, "%s", field_text(entry, "lladdr", "-"));
		table_cell(&table, "%s", field_text(entry, "state", "?"));
		table_cell(&table, "%s", field_number(entry, "age", "-", number));
		table_cell(&table, "%s",
			json_is_true(json_object_get(entry, "gateway")) ? "gateway" : "station");
	}
	table_finish(&table, out);
}

void binding_show_print(const json_t *bindings, FILE *out)
{
	static const struct table_column columns[] = {
		{ "ADDRESS" },
		{ "PORT" },
		{ "MAC" },
		{ "AGE", .right = true },
		{ "ORIGIN" },
	};
	struct table table = TABLE(columns);
	const json_t *entry;
	size_t i;

	json_array_foreach (bindings, i, entry) {
		char number[NUMBER_TEXT_MAX];

		table_cell(&table, "%s", field_text(entry, "local", "?"));
		table_cell(&table, "%s", field_text(entry, "ifname", "?"));
		table_cell(&table, "%s", field_text(entry, "lladdr", "-"));
		table_cell(&table, "%s", field_number(entry, "age", "-", number));
		table_cell(&table, "%s", field_text(entry, "state", "?"));
	}
	table_finish(&table, out);
}
