/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which of the volumes the machine gets: all that were asked for, but for optional ones that cannot
 * be had. Those are left out here, before anything goes by what volumes there are: the servers and
 * the machine spec number what is left, and without NFS there is no host port for it.
 */

#include "launcher/run/vm.h"

/* Whether what serves the volume would take it. 0, or negative errno and why not. Of a tmpfs only
 * the guest knows. */
int volume_choice_check(const struct volume *volume, const struct vmm_kind *kind,
	const struct vm_settings *settings, struct err *err);

/* Of the command's: vm->volumes. What is left out is told of, with its reason. What
 * volume_choice_check() returns of one in a share that is ready and must be had. */
int volume_choice_make(struct vm *vm, struct err *err);
