/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What there is to make a machine root of: the node's own files, or an unpacked Sluice image
 * (settings "machine-root"), whose top-level directories are bound each on its own. Both have a
 * merged /usr: the skeleton has the links.
 */

#include <stdbool.h>

#include "lib/err.h"

struct machine_parts {
	bool cache, alternatives; /* of its /etc: ld.so.cache, alternatives */
	bool config;              /* the node's /etc/sluice */
	bool kvm, tun;            /* the node's devices */
	char **dirs;              /* of an image, besides usr: "opt"; ended by NULL. NULL: none */
};

/* `image` "": the node. To be freed if this returns 0. -ENOTSUP: it has no merged /usr; -errno. */
int machine_parts_find(const char *image, struct machine_parts *parts, struct err *err);

void machine_parts_free(struct machine_parts *parts);
