/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Environments for programs that are started. */

/*
 * Ours with one more variable, "NAME=VALUE", in place of one of that name. The array is to be
 * freed; its strings are the environment's and `variable` itself. NULL: no memory.
 */
char **environment_with(char *variable);
