/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Resource limits and capabilities of a config.json's process, as a guest's (process_spec.h). */

#include <stdint.h>

#include <json-c/json.h>

#include "lib/err.h"

/* Put rlimits; capabilities, ambientCapabilities into `to`. A process that says nothing of
 * capabilities has none. -EINVAL: no such limit or capability. */
int oci_limits_take(json_object *process, json_object *to, struct err *err);
int oci_capabilities_take(json_object *process, json_object *to, struct err *err);

/* Replaces the process's limits by one on open files; 0: none. */
int oci_limits_put(json_object *process, uint64_t nofile, struct err *err);
