/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What a guest is told about itself (config/machine_spec.h), from what its pod and settings say. */

#include "config/machine_spec.h"
#include "launcher/run/vm.h"

/* The caller frees *spec, whatever is returned. */
int describe_machine(const struct vm *vm, struct machine_spec *spec, struct err *err);
