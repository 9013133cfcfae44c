/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Options of an OCI runtime, of runc and crun alike: which there are, and which have a value. In
 * the manner of runc `-log FILE` and `--b=DIR` are said as well as `--log FILE` and `-b DIR`; in
 * crun's,
 * `-bDIR`.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

enum runtime_option_scope {
	RUNTIME_GLOBAL = 1,
	RUNTIME_CREATE = 2,
	RUNTIME_EXEC = 4,
	RUNTIME_UPDATE = 8,
	RUNTIME_CHECKPOINT = 16, /* and restore */
};

enum runtime_option_id {
	RUNTIME_OPTION_OTHER, /* nothing that we have to know of */
	RUNTIME_OPTION_LOG,
	RUNTIME_OPTION_LOG_FORMAT,
	RUNTIME_OPTION_BUNDLE,
	RUNTIME_OPTION_CONFIG,
	RUNTIME_OPTION_PROCESS,
	RUNTIME_OPTION_CWD,
	RUNTIME_OPTION_ENV,
	RUNTIME_OPTION_USER,
	RUNTIME_OPTION_GROUPS,
	RUNTIME_OPTION_TTY,
	RUNTIME_OPTION_CAP,
	RUNTIME_OPTION_RESOURCES,
	RUNTIME_OPTION_MEMORY,
};

struct runtime_option {
	const char *name;
	char letter; /* '\0': none */
	bool has_value;
	unsigned scope; /* enum runtime_option_scope */
	enum runtime_option_id id;
};

struct runtime_option_word {
	const struct runtime_option *option; /* NULL: it is not known, and one word */
	const char *value;                   /* NULL: it has none */
	size_t n_words;                      /* 1, or 2 with a value behind it */
};

/* What *words begins with, a word that begins with '-'. They end with NULL. -EINVAL: its value is
 * missing. */
int runtime_option_read(char *const *words, enum runtime_option_scope scope,
	struct runtime_option_word *word, struct err *err);
