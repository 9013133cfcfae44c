/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Making a configuration the running one, while traffic flows.
 *
 * What differs is found first, port by port, by name:
 *
 *   kept      nothing differs: not touched, its guests and their traffic notice nothing
 *   set       only what the switch itself keeps about it (VLANs, limits, workers) differs
 *   replaced  anything else differs: closed and opened anew
 *   added, removed
 *
 * Then, so that a failure leaves everything as it was:
 *
 *   1  new workers start, new ports open: nothing of them can be seen yet
 *   2  ports that go are taken out of the workers' sight, and closed
 *   3  ports open that claim what one of those held: a socket's path, a device
 *   4  queues move to their new owners; for one grace period they belong to nobody
 *   5  the new snapshot is published, addresses are brought up to date, spare workers end
 *
 * If a port cannot open in step 3, what was closed in step 2 is opened again as it was.
 *
 * Thread-safety: control thread only.
 */

#include <jansson.h>

#include "switch/control/switch.h"

/*
 * Makes *config the running configuration and takes over what it owns (it is left empty). On
 * failure -errno with *err set: the switch is as it was, and *config still the caller's. `changes`
 * (an array, or NULL) gets an object {what, name} for everything that was changed.
 */
int switch_apply(
	struct sluice_switch *sw, struct sluiced_config *config, json_t *changes, struct err *err);

/* Says what switch_apply() would change; -errno with *err set if it would refuse. */
int switch_preview(struct sluice_switch *sw, const struct sluiced_config *config, json_t *changes,
	struct err *err);
