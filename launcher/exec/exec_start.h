/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The environment that this program was started with, which the C library has not seen.
 *
 * A static program has no loader to be told LD_PRELOAD, but its C library reads the environment all
 * the same: GLIBC_TUNABLES and MALLOC_* before main(), LD_LIBRARY_PATH with them. These strings are
 * meant for a command in the guest, and may be chosen by whoever chose the command. So the program
 * is entered at exec_start (exec_start.c), which shows the C library an empty environment.
 *
 * Thread-safety: constant.
 */

/* Ends with NULL. Where the entry point is the ordinary one (exec_start_plain.c), what environ was.
 */
char *const *exec_start_environ(void);
