/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The parts "routes" and "rules" of a machine's network: see machine_net.h. */

#include "config/json_items.h"
#include "config/machine_net.h"
#include "config/setting_value.h"

/* Words of `family`: "inet", "inet6". */
extern const struct setting_word machine_families[];

extern const struct json_items machine_routes; /* struct machine_route */
extern const struct json_items machine_rules;  /* struct machine_rule */

void machine_route_free(struct machine_route *route);
