/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "guest-agent/spawn.h"

/* The new process's ends of what struct spawned has. */
struct spawn_ends {
	int report;
	int in, out, err;
};

/* The new process, from the fork on: becomes the program, or reports why it cannot and ends. All
 * signals are blocked when it begins. */
_Noreturn void spawn_child(const struct spawn_plan *plan, const struct spawn_ends *ends);
