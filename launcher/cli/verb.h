/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The verbs of sluice-vm: `sluice-vm inspect`, `sluice-vm guard hold`. Each is a row with a file of
 * its own, that reads its options and does the work.
 */

#include <stdio.h>

#include "lib/err.h"

/* An exit status; `run` has more of them. */
enum verb_status {
	VERB_OK,
	VERB_FAILED,
	VERB_USAGE,
	VERB_NOT_RUN = 126, /* exec: for no command to be taken for this status */
};

struct verb {
	const char *name;
	const char *usage; /* what follows the name: "[--json] [--interface NAME]" */
	const char *help;  /* one phrase */
	/*
	 * argv[0] is the verb. What was asked for goes to stdout; *err is one line that main()
	 * prints behind "sluice-vm VERB: " if there is one and the status is not VERB_OK.
	 */
	enum verb_status (*run)(int argc, char **argv, struct err *err);
	/* Its options as entries of a manual page's list. */
	void (*print_man)(FILE *out);
};

/* Ends with a NULL name. */
extern const struct verb verbs[];

/* NULL: there is none of that name. */
const struct verb *verb_find(const char *name);

/* Usage of all of them. */
void verb_print_help(FILE *out);

/* The same for a manual page, with the options of each: a subsection for each. */
void verb_print_man(FILE *out);

enum verb_status inspect_verb(int argc, char **argv, struct err *err);
enum verb_status image_verb(int argc, char **argv, struct err *err);
enum verb_status exec_verb(int argc, char **argv, struct err *err);
enum verb_status doctor_verb(int argc, char **argv, struct err *err);
enum verb_status guard_verb(int argc, char **argv, struct err *err);
enum verb_status port_forward_verb(int argc, char **argv, struct err *err);
enum verb_status run_verb(int argc, char **argv, struct err *err);
enum verb_status status_verb(int argc, char **argv, struct err *err);
enum verb_status stop_verb(int argc, char **argv, struct err *err);
enum verb_status console_verb(int argc, char **argv, struct err *err);

void inspect_verb_man(FILE *out);
void image_verb_man(FILE *out);
void exec_verb_man(FILE *out);
void doctor_verb_man(FILE *out);
void guard_verb_man(FILE *out);
void port_forward_verb_man(FILE *out);
void run_verb_man(FILE *out);
void status_verb_man(FILE *out);
void stop_verb_man(FILE *out);
void console_verb_man(FILE *out);
