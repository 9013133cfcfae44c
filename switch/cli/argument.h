/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What follows the words of a command: positional arguments, in order; `key=VALUE` ones, anywhere;
 * and lists of a port's settings, at the end. They become the parameters of a method.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

enum argument_type {
	ARGUMENT_TEXT,
	ARGUMENT_NUMBER,
	ARGUMENT_FILE,     /* the content of the file that is named */
	ARGUMENT_SETTINGS, /* KEY=VALUE of a port, one or more: each a parameter of its own */
	ARGUMENT_CHANGES,  /* the same; the value "none" takes a setting back */
};

struct argument {
	const char *name; /* in the usage: "NAME" */
	const char *param;
	enum argument_type type;
	bool optional;
	bool keyed; /* given as `param=VALUE`, and optional */
};

/* Decodes words[0..n) into *params, a new object. -EINVAL: they are not what `arguments` (at most
 * n_arguments, ended by a NULL name) say; another error is that of reading a file. */
int arguments_parse(const struct argument *arguments, size_t n_arguments, char *const *words,
	size_t n, json_t **params, struct err *err);

/* "MAC PORT [vlan=N]" into text[size], which is returned. */
char *arguments_usage(
	const struct argument *arguments, size_t n_arguments, char *text, size_t size);
