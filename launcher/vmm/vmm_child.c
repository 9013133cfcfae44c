/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/vmm_child.h"

#include <unistd.h>

struct child_plan vmm_child_plan(
	const struct vmm_plan *plan, const char *name, const char *program, struct keeper *keeper)
{
	struct child_plan child = { .name = name,
		.program = program,
		.in = -1,
		.out = plan->console,
		.err = plan->console,
		.keeper = keeper };

	if (plan->initrd_fd > STDERR_FILENO)
		vmm_child_inherits(&child, plan->initrd_fd);
	return child;
}
