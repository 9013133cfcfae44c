/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The skeleton of a container's machine root: a directory of ours in the bundle, which goes when
 * the engine removes that. It holds what the mounts of oci_machine_mounts.h do not: their mount
 * points, the links of a merged /usr, the few files of /etc that our programs read, and
 * container.json.
 *
 * It is made anew over what is there, if anything is: a runtime that was killed is run again.
 * Nothing in it is followed: a symbolic link where a directory belongs is an error.
 */

#include <stddef.h>

#include "lib/err.h"

#define MACHINE_ROOT_NAME "sluice" /* in the bundle */

/*
 * Makes it, with container.json (config/container_spec.h; `text`) in it, mode 0600. -errno: *err
 * names the path.
 */
int machine_root_make(const char *bundle, const char *text, size_t len, struct err *err);
