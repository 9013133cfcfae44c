/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void table_cell(struct table *table, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	if (table->n_cells == table->room) {
		size_t room = table->room != 0 ? 2 * table->room : 64;
		char **cells = reallocarray(table->cells, room, sizeof(*cells));

		if (cells == NULL)
			return;
		table->cells = cells;
		table->room = room;
	}
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	table->cells[table->n_cells++] = text;
}

static const char *cell_text(const struct table *table, size_t i)
{
	return table->cells[i] != NULL ? table->cells[i] : "?";
}

static size_t width_of(const struct table *table, size_t column)
{
	size_t width = strlen(table->columns[column].title);

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		size_t len = strlen(cell_text(table, i));

		if (len > width)
			width = len;
	}
	return width;
}

static void print_cell(
	const struct table *table, size_t column, int width, const char *text, FILE *out)
{
	bool last = column + 1 == table->n_columns;

	if (table->columns[column].right)
		fprintf(out, "%*s", width, text);
	else
		fprintf(out, "%-*s", last ? 0 : width, text);
	fputs(last ? "\n" : "  ", out);
}

void table_finish(struct table *table, FILE *out)
{
	size_t n = table->n_columns;
	int *width = calloc(n, sizeof(*width));

	for (size_t c = 0; width != NULL && c < n; c++)
		width[c] = (int)width_of(table, c);
	for (size_t c = 0; width != NULL && c < n; c++)
		print_cell(table, c, width[c], table->columns[c].title, out);
	for (size_t i = 0; width != NULL && i < table->n_cells - table->n_cells % n; i++)
		print_cell(table, i % n, width[i % n], cell_text(table, i), out);
	free(width);
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	table->cells = NULL;
	table->n_cells = table->room = 0;
}
