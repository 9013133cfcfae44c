/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Runs the real sluicectl (its path is in SLUICECTL) against a server of our own, which answers as
 * sluiced does, so that tests see what a person or a script sees: output, error line, exit status.
 */

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define OUTPUT_MAX 16384

/* What is answered to a request. One that is in no row gets an error that shows it. */
struct cli_answer {
	const char *method;
	const char *params;
	const char *answer; /* NULL: an error, with that text */
	const char *error;
	const char *more; /* lines that follow the answer, or NULL */
};

/* Serves `answers` until cli_lab_stop(), at cli_lab_socket(), which is sluicectl's default. */
int cli_lab_start(const struct cli_answer *rows, size_t n);
int cli_lab_stop(void);
const char *cli_lab_directory(void);
const char *cli_lab_socket(void);
int cli_lab_served(void); /* requests so far */

struct outcome {
	int status; /* as from wait(2) */
	char out[OUTPUT_MAX];
	char err[OUTPUT_MAX];
};

/* Runs sluicectl with these words, ended by NULL. Valid until the next call. */
struct outcome *cli_run(const char *const *words);
pid_t cli_spawn(const char *const *words, FILE *out, FILE *err);
/* What was written to a file that cli_spawn() was given, into text[OUTPUT_MAX]; closes it. */
void cli_read_back(FILE *file, char *text);

#define run(...) cli_run((const char *const[]) { __VA_ARGS__, NULL })

/* That sluicectl exited with this status and wrote exactly that. */
void cli_check(const struct outcome *got, int status, const char *out, const char *err);
