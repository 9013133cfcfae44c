/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The parameters of a method: named, typed, and none that the method does not know. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/mac.h"

enum param_type { PARAM_TEXT, PARAM_INT };

/* Lists end with a NULL name. */
struct param {
	const char *name;
	enum param_type type;
	bool required;
};

/* -EINVAL with *err set if a parameter is missing, unknown or of the wrong type. `params` may be
 * NULL. */
int params_check(const json_t *params, const struct param *known, struct err *err);

/* NULL if it is not there or no text. */
const char *param_text(const json_t *params, const char *name);

/* Reads a unicast address, which is there. -EINVAL with *err set. */
int param_mac(const json_t *params, const char *name, struct mac *mac, struct err *err);

int64_t param_int(const json_t *params, const char *name, int64_t otherwise);
