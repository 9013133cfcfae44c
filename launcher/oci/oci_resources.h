/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How large the machine is, from what its container may use: memory is the limit less what the VM
 * takes besides the guest's (or all of it, where a RuntimeClass accounts for that: then the limit
 * is raised by it, and only what grows with the guest's memory is taken from it), processors are
 * the quota's, rounded up. What annotations say is stronger.
 */

#include <stdint.h>

#include <json-c/json.h>

#include "config/runtime_settings.h"
#include "lib/err.h"

#define OCI_NO_LIMIT (INT64_C(1) << 60) /* engines have several numbers for none, all larger */

/*
 * Puts "memory" and "cpus" into `settings`, which has those of the annotations, and edits
 * linux.resources.memory. -ENOTSUP: the limit is too little for a guest, or for the one that was
 * asked for.
 */
int oci_resources_convert(json_object *linux_part, const struct runtime_settings *runtime,
	json_object *settings, struct err *err);
