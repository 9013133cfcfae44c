/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What every VMM needs of a plan before it can start; one line says what is missing. */

#include "launcher/vmm/vmm.h"
#include "lib/err.h"

/* The program can be executed, and the kernel, initrd and drives can be opened. `usual` is the
 * program's name if the plan has none. */
int vmm_check_files(const struct vmm_plan *plan, const char *usual, struct err *err);

static inline const char *vmm_program(const struct vmm_plan *plan, const char *usual)
{
	return plan->program != NULL ? plan->program : usual;
}
