/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The commands of sluicectl. Each is a row: the words that name it, the arguments it takes, the
 * method of sluiced that answers it, and how the answer is shown to people. The answer is always an
 * array; --json prints it as it came.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/err.h"
#include "switch/cli/argument.h"

#define COMMAND_ARGUMENTS_MAX 4

struct command {
	const char *noun, *verb; /* verb NULL: the noun is the whole command */
	const char *method;
	struct argument arguments[COMMAND_ARGUMENTS_MAX]; /* ends with a NULL name, or full */
	/* One of these: shows the answer; says what was done, see done_print(); shows what comes
	 * after the answer, until the connection ends. */
	void (*print)(const json_t *answer, FILE *out);
	const char *done;
	void (*print_event)(const json_t *event, FILE *out);
	bool repeatable;  /* --watch makes sense */
	const char *hint; /* what to do when sluiced refuses; NULL: its message says enough */
	const char *help;
};

void port_list_print(const json_t *ports, FILE *out);
void port_show_print(const json_t *ports, FILE *out);
void port_stats_print(const json_t *ports, FILE *out);
void fdb_show_print(const json_t *entries, FILE *out);
void neighbour_show_print(const json_t *neighbours, FILE *out);
void binding_show_print(const json_t *bindings, FILE *out);
void worker_show_print(const json_t *workers, FILE *out);
void config_show_print(const json_t *configs, FILE *out);
void config_changes_print(const json_t *changes, FILE *out);
void log_show_print(const json_t *logs, FILE *out);
void event_print(const json_t *event, FILE *out);
void version_print(const json_t *version, FILE *out);

/*
 * Prints a line about `params`, by which something was done: in `pattern`, {key} stands for the
 * parameter of that name, and what is between [ and ] is left out if a parameter in it is not
 * there:
 * "{mac} forgotten[ in VLAN {vlan}]".
 */
void done_print(const char *pattern, const json_t *params, FILE *out);

/* A command line's command with its arguments. */
struct request {
	const struct command *command;
	json_t *params; /* for the method; freed with request_free() */
};

/*
 * Makes a request of words[0..n). -EINVAL when there is no such command or its arguments are not
 * what it takes: *err then says what is wrong and what there is instead. Other errors are about
 * files that are named. *req is to be freed in any case; its command is set if there is one.
 */
int request_parse(struct request *req, char *const *words, size_t n, struct err *err);
void request_free(struct request *req);

/* "port show", in a buffer of the caller's. */
#define COMMAND_TEXT_MAX 32
char *command_text(const struct command *command, char text[COMMAND_TEXT_MAX]);

/*
 * Asks the sluiced behind `socket_path` and prints its answer to `out`. On failure returns a
 * negative errno and *err holds cause and hint.
 */
int request_run(
	const struct request *req, const char *socket_path, bool json, FILE *out, struct err *err);

/* The list of commands for --help. */
void command_print_help(FILE *out);

/* The same for a manual page: entries of a list. */
void command_print_man(FILE *out);
