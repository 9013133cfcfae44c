/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The process of a config.json: the workload's goes to the guest, and in its place comes sluice-vm,
 * as root, with the capabilities that its programs use (oci_process.c says which and for what) and
 * an environment of our own.
 */

#include <stdbool.h>

#include <json-c/json.h>

#include "launcher/oci/oci_config.h"
#include "lib/err.h"

/* Puts process, args and env into `container`. -EINVAL: it is no process. */
int oci_process_take(json_object *process, json_object *container, struct err *err);

/* Makes it sluice-vm's. `nfs`: something is served over NFS. */
int oci_process_convert(
	json_object *process, const struct oci_facts *facts, bool nfs, struct err *err);
