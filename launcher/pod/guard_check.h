/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What has to be so before a guard may be set. */

#include <stdbool.h>

#include "lib/err.h"
#include "lib/mac.h"

/*
 * Refuses the initial network namespace, where a guard would cut the machine off: -EPERM, also
 * where it cannot be told.
 */
int guard_check_namespace(struct err *err);

/* As above, for proc(5) mounted at `proc`: 1 it is the initial one, 0 it is not, negative errno. */
int guard_namespace_is_initial(const char *proc);

/*
 * Refuses shared mode (-EINVAL) unless the ports that the pod's kernel takes by itself are within
 * GUARD_EPHEMERAL_FIRST to _LAST.
 */
int guard_check_ephemeral_ports(struct err *err);

struct guard_interface {
	int ifindex;
	struct mac mac; /* zero: it has none, as netkit */
	unsigned mtu;
	bool has_address; /* the pod's kernel answers there: IPv4, or IPv6 other than link-local */
};

/* -ENODEV: there is no such interface. */
int guard_look_at_interface(const char *name, struct guard_interface *found, struct err *err);
