/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Whether the guest's frames go by the switch, or by the kernel alone from a TAP to the pod's
 * interface and back (`datapath: tap`, GUARD_REDIRECT of guard_rules.h). Then there is no sluiced,
 * and nothing of what it does: a guest with another MAC address than the pod's, answers on behalf
 * of neighbours, anti-spoof, a network that the pod shares, and services of the pod's on the
 * identity address.
 */

#include <stdbool.h>

#include "config/vm_settings.h"
#include "launcher/run/volume.h"

struct pod_network;

bool datapath_is_tap(const struct vm_settings *settings);

/* -ENOTSUP: a setting or volume asks for what only the switch does; which, and what to do. */
int datapath_check(
	const struct vm_settings *settings, const struct volumes *volumes, struct err *err);

/* The same of the pod: its resolver may be one that only a relay can reach, and its interface
 * without a MAC address that the guest could have. */
int datapath_check_pod(
	const struct vm_settings *settings, const struct pod_network *net, struct err *err);
