/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The mounts of a config.json, parted: what the engine and the user mount for the workload becomes
 * volumes of the guest, served from fixed places below /sluice/share in the order in which they
 * are; the kernel's file systems stay; then comes what the machine root is made of
 * (oci_machine_mounts.h).
 */

#include <stdint.h>

#include <json-c/json.h>

#include "launcher/oci/oci_config.h"
#include "launcher/oci/oci_volumes.h"
#include "lib/err.h"

struct oci_mounts {
	json_object *kept;    /* of the machine root: objects for a new config.json */
	json_object *shared;  /* bound to be served: the same */
	json_object *volumes; /* of the guest: as in container.json */
	size_t n_shared;
};

/* `mounts`: the array, NULL: none. All of *out is to be freed, whatever this returns. */
int oci_mounts_part(json_object *mounts, const struct oci_facts *facts, struct oci_volumes *wishes,
	struct oci_mounts *out, struct err *err);

void oci_mounts_free(struct oci_mounts *mounts);
