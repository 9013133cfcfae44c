/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "launcher/process/child.h"
#include "launcher/vmm/vmm.h"

/*
 * How any VMM is started: its guest is hostile, so it has no capabilities; what it says is the
 * console's; it inherits an initrd that is a descriptor. `name` is for messages. The caller adds
 * what is its own: argv above all.
 */
struct child_plan vmm_child_plan(
	const struct vmm_plan *plan, const char *name, const char *program, struct keeper *keeper);

/* Another descriptor that it inherits; there is room for CHILD_FDS_MAX. */
static inline void vmm_child_inherits(struct child_plan *child, int fd)
{
	child->fds[child->n_fds++] = fd;
}
