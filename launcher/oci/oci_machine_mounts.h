/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What the machine root is made of, besides the skeleton itself (machine_root.h): the programs, of
 * the node or of an unpacked Sluice image, read-only; the node's /etc/sluice; what the
 * administrator binds besides; memory file systems to work in; and the user's root, to be served.
 */

#include <stdbool.h>

#include <json-c/json.h>

#include "launcher/oci/oci_config.h"
#include "lib/err.h"

/* Appends them to `mounts`. */
int oci_machine_mounts_add(json_object *mounts, const struct oci_facts *facts, struct err *err);

/* Appends the user's root, of config.json's "root", and says whether it is read-only. */
int oci_machine_mounts_add_root(json_object *mounts, json_object *config, const char *bundle,
	bool *readonly, struct err *err);
