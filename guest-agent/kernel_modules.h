/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Loads the kernel modules that the initramfs brings, in the order of its list. */

#define KERNEL_MODULES_LIST "/etc/sluice/modules" /* a path on each line */

/* What fails is told on the console, and the next one is tried: what needs the module will say what
 * it misses. How many have been loaded, or were there. */
unsigned kernel_modules_load(const char *list);
