/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The root of the processes that the agent runs: agent.h says which mounts it gets. These functions
 * are for a process just forked.
 */

#include "lib/err.h"

/* A new mount namespace, in which `root` is "/" and has its mounts. */
int guest_root_make(const char *root, struct err *err);

/* Into a namespace that guest_root_make() has made, by descriptors: the namespace and its root. */
int guest_root_join(int mount_ns, int root, struct err *err);
