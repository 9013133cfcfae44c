/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The root of the workload, below the agent's own: mounted first, then completed, so that what is
 * mounted in it finds its mount points made; read-only at last.
 */

#include <stdbool.h>

#include "config/machine_spec.h"
#include "lib/err.h"

#define MACHINE_ROOT "/newroot"

/* An image may say by this program what is to run in it. */
#define MACHINE_ROOT_ENTRYPOINT "/.runcvm/entrypoint"

int machine_root_mount(const struct machine_mount *root, struct err *err);

/* /dev and /sys as the agent has them. What cannot be placed is told on the console. */
void machine_root_add_kernel(void);

/*
 * /etc/hostname, /etc/hosts, /etc/resolv.conf: files of the agent's over those of the root, as far
 * as the spec has them. What cannot be placed is told on the console.
 */
void machine_root_add_files(const struct machine_spec *spec);

/* Read-only, if it is to be. */
int machine_root_finish(const struct machine_mount *root, struct err *err);

/* Whether it has one that can be executed. */
bool machine_root_has_entrypoint(void);

/* Mounts `tree` at `path` in the root, where a mount point is made if there is none. The tree's
 * descriptor stays the caller's. */
int machine_root_attach(int tree, const char *path, struct err *err);
