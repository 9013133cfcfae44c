/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A pod's annotations as Kubernetes' downward API writes them into a file: KEY="VALUE" a line, in
 * which VALUE is quoted as strconv.Quote() of Go does it: \a \b \f \n \r \t \v \\ \" and \xNN,
 * \uNNNN, \UNNNNNNNN.
 */

#include <stddef.h>

#include "lib/err.h"

#define ANNOTATION_KEY_MAX 320 /* a prefix of 253 characters, '/', a name of 63 */

/*
 * Calls `each` for every line, in order; what it returns but 0 ends the walk and is returned, with
 * *err set by it. -EINVAL: a line is none; the message has its number.
 */
int annotation_each(const char *text, size_t len,
	int (*each)(void *arg, const char *key, const char *value), void *arg, struct err *err);
