/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "config/process_spec.h"
#include "config/vm_settings.h"
#include "lib/err.h"

/*
 * The workload as the settings have it. The caller frees *spec if this returns 0. -EINVAL: one line
 * begins with the setting that is not right.
 */
int vm_process_make(const struct vm_settings *settings, struct process_spec *spec, struct err *err);
