/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The command line of Linux in a process (UML): a pure function of the plan.
 *
 * UML joins its arguments by spaces into the kernel's command line and takes them apart again by
 * ':' and ',', with no way to quote. What cannot be said so is refused: -EINVAL, and which it is.
 */

#include "launcher/vmm/argv.h"
#include "launcher/vmm/vmm.h"

int uml_args(const struct vmm_plan *plan, const char *program, struct argv *argv, struct err *err);
