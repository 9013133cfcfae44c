/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * An orderly end on request, each step only if the one before it has not been enough:
 *
 *   the workload's stop signal, and the grace given; then the agent turns the machine off; then the
 *   VMM presses its power button; then everything is killed (exit status 128 + SIGKILL).
 *
 * Whatever ends the VM on the way ends this too, with its own exit status.
 *
 * Thread-safety: main thread.
 */

#include "launcher/run/vm.h"

struct vm_halt;

/* Asked for again, it goes on as before, unless the grace is shorter. -ENOMEM. */
int vm_halt_begin(struct vm *vm, unsigned grace_s, struct err *err);

/* May be NULL. */
void vm_halt_free(struct vm_halt *halt);
