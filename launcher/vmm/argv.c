/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/argv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void append(struct argv *argv, char *word)
{
	char **words = realloc(argv->words, (argv->n + 2) * sizeof(*words));

	if (words == NULL) {
		argv->failed = true;
		free(word);
		return;
	}
	words[argv->n++] = word;
	words[argv->n] = NULL;
	argv->words = words;
}

void argv_add(struct argv *argv, const char *fmt, ...)
{
	char *word = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&word, fmt, ap);
	va_end(ap);
	if (len < 0)
		argv->failed = true;
	else
		append(argv, word);
}

int argv_check(const struct argv *argv)
{
	return argv->failed ? -ENOMEM : 0;
}

void argv_free(struct argv *argv)
{
	for (size_t i = 0; i < argv->n; i++)
		free(argv->words[i]);
	free(argv->words);
	*argv = (struct argv) { 0 };
}
