/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The TAP of a VM (tap_link.h): of a VMM without vhost-user, whose switch has a packet socket on
 * it; or of any, with `datapath: tap`, where the guard redirects (guard_rules.h).
 */

#include "lib/err.h"

struct vm;

/* If it takes one. */
int vm_tap_make(struct vm *vm, struct err *err);

/* Also of a VM without one. */
void vm_tap_stop(const struct vm *vm);
