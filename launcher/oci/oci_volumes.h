/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The annotation sluice.dev/volumes: how volumes get to the guest that are to get there otherwise
 * than by virtiofs, or may be missing.
 *
 *   /data=nfs,/cache=optional,/both=nfs+optional
 *
 * Destinations are those of config.json's mounts, to the letter.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

struct oci_volume {
	char *destination;
	bool nfs, optional;
	bool found; /* there is such a mount */
};

struct oci_volumes {
	struct oci_volume *items;
	size_t n;
};

/* `text` NULL: none. To be freed if this returns 0. -EINVAL. */
int oci_volumes_parse(const char *text, struct oci_volumes *volumes, struct err *err);

/* What is said of this destination, marked as found; NULL: nothing. */
const struct oci_volume *oci_volumes_find(struct oci_volumes *volumes, const char *destination);

/* Whether one is over NFS. */
bool oci_volumes_have_nfs(const struct oci_volumes *volumes);

/* -EINVAL: one was not found. */
int oci_volumes_check(const struct oci_volumes *volumes, struct err *err);

void oci_volumes_free(struct oci_volumes *volumes);
