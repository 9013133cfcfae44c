/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The switch of a VM: its configuration, as a pure function of what the pod has. */

#include <jansson.h>

#include "config/vm_settings.h"
#include "launcher/pod/pod_guard.h"
#include "launcher/pod/pod_network.h"
#include "launcher/run/vm_paths.h"

struct switch_plan {
	const struct vm_settings *settings;
	const struct vm_paths *paths;
	const struct pod_network *net;  /* with its choice */
	const struct guard_plan *guard; /* identity and service addresses, kernel ports */
	const char *tap;                /* the guest's interface; NULL: its port is vhost-user */
	struct mac guest_mac;
};

/* The object for sluiced's configuration file; a new reference. NULL: no memory. */
json_t *switch_plan_encode(const struct switch_plan *plan);

/* The guest's port alone, as one of the configuration's; a new reference. */
json_t *switch_plan_guest(const struct switch_plan *plan);

/* The guest's address: the pod's, the one that was set, or one made from `name`, always the same:
 * aa:fc:00:xx:xx:xx. */
struct mac switch_plan_guest_mac(const struct vm_settings *settings, const struct mac *pod_mac);

/* Whether an address of the pod's becomes the guest's: not what each finds for itself (fe80::). */
bool switch_plan_is_guests(const struct pod_network *net, const struct pod_address *address);
