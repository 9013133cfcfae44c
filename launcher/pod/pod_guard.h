/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What stands between the pod's kernel and its guests for as long as somebody holds it: the host
 * port, if asked for, and the guard (guard.h), which has chains on it. Before, whether they are
 * needed, may be set and can be.
 *
 * A guard needs CAP_NET_ADMIN. Without it all is well if the interface has no address, for then the
 * pod's kernel answers nothing; or if somebody outside has set a guard, or none is wanted.
 */

#include <stdbool.h>

#include "launcher/pod/guard.h"
#include "launcher/pod/guard_check.h"
#include "lib/err.h"

struct pod_guard_options {
	bool lab;           /* also in the initial network namespace */
	bool outside_guard; /* there is one that cannot be seen from here: set none */
};

struct pod_guard {
	struct pod_guard_options options;
	struct guard_plan plan;        /* as it is held */
	struct guard_interface uplink; /* that it is held for */
	struct guard *guard;           /* NULL: none */
	bool host_port;                /* it was created, and is to be removed */
};

/*
 * Sets both up for *plan, which is copied; the MAC address it names is the interface's, whatever it
 * says. What it did is undone if it fails. -EBUSY: there is a guard of somebody else's; -EPERM,
 * -ENODEV and what guard_hold() and host_link_create() say.
 */
int pod_guard_start(struct pod_guard *pg, const struct guard_plan *plan,
	const struct pod_guard_options *options, struct err *err);

/* After news of links (link_news.h): the interface may be another by the same name, or have another
 * MAC. If it has just gone again, there will be news of that. */
int pod_guard_keep_up(struct pod_guard *pg, struct err *err);

/* Changes which ports the pod's kernel keeps. */
int pod_guard_set_ports(struct pod_guard *pg, const struct l4_ports *kernel_ports, struct err *err);

int pod_guard_stop(struct pod_guard *pg, struct err *err);

/* "is guarded for as long as this process lives", of its interface; static. */
const char *pod_guard_describe(const struct pod_guard *pg);
