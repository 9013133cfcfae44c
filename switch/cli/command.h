/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The commands of sluicectl. Each is a row: the words that name it, the method of sluiced that
 * answers it, and the function that prints the answer for people. The answer is always an array of
 * objects; --json prints it as it came.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/err.h"

struct command {
	const char *noun, *verb; /* verb NULL: the noun is the whole command */
	const char *method;
	bool takes_name; /* an optional NAME narrows the answer to one port */
	void (*print)(const json_t *answer, FILE *out);
	const char *help;
};

void port_list_print(const json_t *ports, FILE *out);
void port_show_print(const json_t *ports, FILE *out);
void port_stats_print(const json_t *ports, FILE *out);
void fdb_show_print(const json_t *entries, FILE *out);
void worker_show_print(const json_t *workers, FILE *out);
void version_print(const json_t *version, FILE *out);

/*
 * Finds the command that words[0..n) begin with; *name is the NAME after it, or NULL. NULL when
 * there is none or when words are left over: *err then says which and what there is instead.
 */
const struct command *command_find(
	char *const *words, size_t n, const char **name, struct err *err);

/* "port show", in a buffer of the caller's. */
#define COMMAND_TEXT_MAX 32
char *command_text(const struct command *command, char text[COMMAND_TEXT_MAX]);

/*
 * Asks the sluiced behind `socket_path` and prints its answer to `out`. On failure returns a
 * negative errno and *err holds cause and hint.
 */
int command_run(const struct command *command, const char *name, const char *socket_path, bool json,
	FILE *out, struct err *err);

/* The list of commands for --help. */
void command_print_help(FILE *out);
