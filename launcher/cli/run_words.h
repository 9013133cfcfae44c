/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Words of `run` as people who know containers write them: short forms, and settings that are lists
 * and may be said more than once, whose values become one.
 */

#include <stddef.h>

#include "lib/err.h"

#define RUN_MADE 5

struct run_words {
	char **kept; /* for settings_from_args(); ends with NULL when it is finished */
	size_t n;
	char *made[RUN_MADE]; /* "--cap-add=A,B"; NULL: not said */
};

/* For `n` words at most; -ENOMEM. To be freed in any case. */
int run_words_init(struct run_words *words, size_t n, struct err *err);
void run_words_free(struct run_words *words);

/* "-e" is "--env"; any other word is itself. */
const char *run_words_long(const char *word);

/* Takes the word, which is the caller's, or it and the next one: returns how many, or -EINVAL. */
int run_words_take(struct run_words *words, char *const *at, struct err *err);

/* What was put together goes behind what was kept. */
void run_words_finish(struct run_words *words);

/* What is to be said of all this: some sentences. */
const char *run_words_help(void);
