/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Which kind of VMM the settings ask for, and what else they ask for that it does not have. */

#include "config/vm_settings.h"
#include "launcher/run/volume.h"
#include "launcher/vmm/vmm.h"

const struct vmm_kind *machine_kind(const struct vm_settings *settings);

/* -ENOTSUP: one line says what it lacks, who asks for it, and what to do. */
int machine_kind_check(const struct vmm_kind *kind, const struct vm_settings *settings,
	const struct volumes *volumes, struct err *err);
