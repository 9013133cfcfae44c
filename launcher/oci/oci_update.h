/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What sluice-runtime makes of the resources that `update` is given for a container that is a VM.
 * Processors and the rest are the node's to give and take: they pass. Memory is the guest's since
 * its start, all of it: more would be nobody's to use, and with less the VM would be killed.
 * Engines say it all the same, whenever they say anything (kubelet's CPU manager): as it was it
 * stays.
 */

#include <json-c/json.h>

#include "config/runtime_settings.h"
#include "lib/err.h"

/*
 * Edits *resources in place; `was` is linux.resources of the converted config.json, NULL: none.
 * -ENOTSUP: other memory is asked for; -EINVAL: they are no resources.
 */
int oci_update_convert(json_object *resources, json_object *was,
	const struct runtime_settings *settings, struct err *err);
