/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Settings that hold many numbers. SETTING_LIST keeps their order and may repeat one (the CPU of
 * each worker); SETTING_SET is one bit for each (the VLANs of a trunk).
 *
 * As text, entries are separated by commas: a number, a range, or one of the row's words, each of
 * which stands for one number: "auto,2,4-7". In JSON, that text, a number, or an array of numbers
 * and of single entries as text: [ 1, "100-199" ]. A list that is given has an entry.
 */

#include <jansson.h>

#include "config/setting_value.h"
#include "lib/err.h"

/* What setting_set_json(), setting_set_text() and setting_get_json() do for the two types. */
int setting_list_set_json(
	const struct setting *row, const json_t *value, void *target, struct err *err);
int setting_list_set_text(
	const struct setting *row, const char *text, void *target, struct err *err);
json_t *setting_list_get_json(const struct setting *row, const void *target);
