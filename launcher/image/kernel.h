/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The guest's kernel and its modules. Where nobody says which: of QEMU the newest /boot/vmlinuz-*,
 * of UML /usr/bin/linux.uml; modules are looked for beside the kernel, as the distribution's
 * package has them (/boot and /lib/modules, /usr/bin and /usr/lib/uml/modules, below any directory
 * it was unpacked into). A kernel without modules has what it needs built in.
 */

#include <limits.h>
#include <stdbool.h>

#include "lib/err.h"

struct kernel {
	char path[PATH_MAX];
	char modules_dir[PATH_MAX]; /* empty: none */
};

/* `path` and `modules_dir` may be empty. -ENOENT, -EACCES: one line says what to set. */
int kernel_find(bool uml, const char *path, const char *modules_dir, struct kernel *kernel,
	struct err *err);
