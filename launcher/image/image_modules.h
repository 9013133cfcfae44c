/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The modules that a guest needs before it has a root, for initramfs_plan. NFS costs some 100 ms of
 * every boot (UML), so it comes only where a root or volume is of it.
 */

#include <stdbool.h>

const char *const *image_modules(bool uml, bool nfs);
