/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Mount points in a root that is read-only. Where one is missing in a root that can be written to,
 * the guest's agent makes it; of one that cannot, all that the guest has is a read-only mount. So
 * they are made here, as a runtime does for containers: by the node's own root, and never by way of
 * a symbolic link that leads out of the user's (lib/mount_point.h).
 */

#include <json-c/json.h>

#include "lib/err.h"

/* What is bound to a place of the container; NULL: nothing, or it is no such tree. */
const char *oci_mount_points_source(json_object *config, const char *place);

/*
 * For the volumes of `container` (container.json), if its root is read-only; `config` is what
 * oci_convert() has made of config.json. What is on a file system that is read-only itself is left
 * to the guest to miss. Its working directory is made likewise. -ENOTSUP: a volume is a socket or a
 * pipe, whatever the root. -errno: *err names the path.
 */
int oci_mount_points_make(json_object *config, json_object *container, struct err *err);
