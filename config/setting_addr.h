/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * SETTING_ADDRS: IP addresses of both families, in order, none of them twice, each one that a host
 * can have. As text "10.0.0.2,fd00::2"; in JSON that text, or an array of strings.
 */

#include <jansson.h>

#include "config/setting_value.h"
#include "lib/err.h"

/* What setting_set_json(), setting_set_text() and setting_get_json() do for the type. */
int setting_addr_set_json(
	const struct setting *row, const json_t *value, void *target, struct err *err);
int setting_addr_set_text(
	const struct setting *row, const char *text, void *target, struct err *err);
json_t *setting_addr_get_json(const struct setting *row, const void *target);
