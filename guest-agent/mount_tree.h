/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a machine spec wants mounted, as a tree that is nowhere yet (open_tree(2)). It has its
 * options before it is put where it belongs, and is put there by descriptor (move_mount(2)): no
 * path is looked up twice.
 */

#include <stdbool.h>

#include "config/machine_spec.h"
#include "lib/err.h"

/*
 * `read_only` decides, not mount->readonly: a root is to have its mount points first. A virtiofs
 * device is mounted once, below the agent's own directory; what is mounted is a part of it.
 */
int mount_tree_open(const struct machine_mount *mount, bool read_only, int *tree, struct err *err);

/* The file or directory `path`, and what is mounted below it. */
int mount_tree_clone(const char *path, int *tree, struct err *err);

/* 1: its top is a directory, and not a file. */
int mount_tree_is_directory(int tree);

/* On top of what the descriptor `at` is of. */
int mount_tree_attach(int tree, int at, struct err *err);

/* What is mounted at `path` from now on cannot be written to by that way; but what is mounted below
 * it can. */
int mount_tree_make_read_only(const char *path, struct err *err);
