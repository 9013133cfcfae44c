/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Whether this node can run containers as VMs, and whether its engines know of sluice-runtime: a
 * finding for each thing. Nothing is changed. What a VM itself would need, in its pod, is for
 * `sluice-vm doctor`.
 */

#include "launcher/doctor/doctor.h"

void runtime_doctor_examine(struct doctor *d);

/* Part of it: engines and CNI. */
void runtime_doctor_engines(struct doctor *d);
