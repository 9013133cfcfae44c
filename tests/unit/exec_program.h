/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* sluice-exec as a process of its own, named by the environment's SLUICE_EXEC. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROGRAM_WORDS_MAX 64

struct program {
	pid_t pid;
	int fds[3]; /* what it gets as stdin, stdout, stderr; -1: closed */
	bool tty;   /* stdin is to be its controlling terminal, in a session of its own */
	const char *const *env; /* NULL: none */
};

/* What a program that ran to its end has left. */
struct outcome {
	int status; /* exit status; 1000 and the signal that killed it */
	char *out, *err;
	size_t out_len;
};

/* Starts `sluice-exec --socket PATH words...`, words up to a NULL. */
void program_start(struct program *program, const char *path, const char *const *words);
/* Waits for its end, at most 60 s. */
int program_wait(struct program *program);

/* The whole of it: input is a file of these bytes. Free with outcome_free(). */
void program_run(struct outcome *outcome, const char *path, const char *const *words,
	const void *input, size_t len);
void outcome_free(struct outcome *outcome);

/* An anonymous file of these bytes, at its beginning. */
int file_of(const void *bytes, size_t len);
/* All that is in it, with a NUL behind; to be freed. */
char *file_read(int fd, size_t *len);
