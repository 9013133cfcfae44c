/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The rest of config.json's "linux", which is about the node: it stays as the engine wrote it
 * (namespaces, cgroups, limits, sysctls) but for what would name paths of our root, devices and
 * system calls.
 */

#include <json-c/json.h>

#include "launcher/oci/oci_config.h"
#include "lib/err.h"

int oci_node_convert(json_object *linux_part, const struct oci_facts *facts, struct err *err);
