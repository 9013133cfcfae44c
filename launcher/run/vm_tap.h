/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The TAP of a VM (tap_link.h): of a VMM without vhost-user, whose switch has a packet socket on
 * it; or of any, with `datapath: tap`, which is then redirected to the pod's interface
 * (tap_redirect.h).
 */

#include "lib/err.h"

struct vm;

/* If it takes one. */
int vm_tap_make(struct vm *vm, struct err *err);

/* With `datapath: tap`, in place of the guard. -EBUSY: the pod's interface is somebody's already;
 * -ENOTSUP: it has no MAC address that the guest could have. */
int vm_tap_redirect(struct vm *vm, struct err *err);

/* After news of links. */
int vm_tap_keep_up(struct vm *vm, struct err *err);

/* Also of a VM without one. */
void vm_tap_stop(struct vm *vm);
