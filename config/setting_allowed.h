/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What a setting accepts, in words, and the messages about what it does not. */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "config/setting_value.h"
#include "lib/err.h"

/* Writes what the row accepts into text[size]: `0 to 1000000 or "max"`. Returns text. */
char *setting_allowed(const struct setting *row, char *text, size_t size);

/* Whether a pod's annotation may say it, into text[size]: "; not by annotation", or "". Returns
 * text.
 */
char *setting_annotated(const struct setting *row, char *text, size_t size);

/* Of a text that the row takes, in bytes. */
size_t setting_len_max(const struct setting *row);

/* Set *err and return -EINVAL or, the last one, -ERANGE. */
int setting_refuse_text(const struct setting *row, const char *text, struct err *err);
int setting_refuse_json(const struct setting *row, const json_t *value, struct err *err);
int setting_refuse_number(const struct setting *row, int64_t value, struct err *err);
