/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The engine's init (podman run --init): a program of the node's, bound into the container and put
 * before its command. The agent has one of its own, so it goes: { "args": ["/run/podman-init",
 * "--", "nginx"] } becomes ["nginx"], with `init` in the workload's process_spec.h.
 */

#include <stdbool.h>

#include <json-c/json.h>

#include "lib/err.h"

/* Takes it out of `config`: its words and its mount. *found: whether there was one. */
int oci_init_strip(json_object *config, bool *found, struct err *err);
