/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Where JSON comes from: without duplicate names, and with one line that says where it is wrong.
 * *root is the caller's to give back with json_decref(), and NULL after a failure.
 */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "lib/err.h"

/* A configuration file. *root is NULL as well if there is no such file and none is required.
 * -EINVAL: "FILE:LINE:COLUMN: why"; or open(2)'s errno. */
int json_source_file(const char *path, bool required, json_t **root, struct err *err);

/* A text of at most `max` bytes. -EINVAL: "WHAT: line LINE: why". */
int json_source_text(
	const char *what, const char *text, size_t len, size_t max, json_t **root, struct err *err);
