/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The VM's switch: a sluiced that is a child of ours, started again whenever it ends (backoff.h),
 * or somebody else's that the guest's port is added to (switch_attach.h).
 *
 * Thread-safety: main thread.
 */

#include <stdbool.h>

#include "lib/err.h"

struct vm;

/* A child of ours is then started, but not ready: vm->sluiced says so. */
int vm_switch_start(struct vm *vm, struct err *err);

/* Also of one that was never started. */
void vm_switch_stop(struct vm *vm);

/* Whether it is somebody else's. */
bool vm_switch_is_attached(const struct vm *vm);

/* The control socket. */
const char *vm_switch_control(const struct vm *vm);
