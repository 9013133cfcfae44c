/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * TCP ports between a VM and the rest of its pod: the guest's in the pod (port_mirror.h, setting
 * forward-ports), and the pod's in the guest (port_share.h, setting shared-ports).
 *
 * Which of the guest's there may be is a question of the guard. What comes from outside is the
 * guest's by the switch, but for ports that are the pod kernel's: those are never bound, lest we
 * answer for a sidecar. Without a guard the pod's kernel hears everything: then nothing is bound
 * but on loopback, and of itself nothing at all, as in a lab, where the loopback is the machine's.
 *
 * Thread-safety: main thread.
 */

#include <jansson.h>

#include "config/vm_settings.h"
#include "launcher/pod/guard_rules.h"
#include "lib/err.h"

struct vm;

/* The ports that the pod's kernel keeps, of a plan whose mode is set: in shared mode those that are
 * shared with the guest as well. -EINVAL, -E2BIG. */
int vm_ports_plan(const struct vm_settings *settings, struct guard_plan *plan, struct err *err);

/* The guest will find its sidecars' ports. Also of a machine that is started again. */
int vm_ports_step(struct vm *vm, struct err *err);

/* The guest runs: its ports follow. */
void vm_ports_follow(struct vm *vm);

/* See vm_control.h; a new reference. */
json_t *vm_ports_status(const struct vm *vm);

void vm_ports_stop(struct vm *vm);
