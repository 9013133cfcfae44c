/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Text tables: cells are collected row by row, columns become as wide as their widest cell.
 * No lines, no colour: what comes out can be fed to awk.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table_column {
	const char *title;
	bool right; /* numbers */
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	char **cells; /* row after row; NULL where memory was short, shown as "?" */
	size_t n_cells, room;
};

#define TABLE(cols)                                                                                \
	{                                                                                          \
		.columns = (cols), .n_columns = sizeof(cols) / sizeof((cols)[0])                   \
	}

/* Appends the next cell of the current row. */
void table_cell(struct table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints the titles and all full rows, and frees the cells. */
void table_finish(struct table *table, FILE *out);
