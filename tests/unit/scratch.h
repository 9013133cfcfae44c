/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A directory for a test's files, gone with all that is in it when the test is over. */

#include <sys/types.h>

/* As cmocka's set-up and tear-down: *state is its path. */
int scratch_open(void **state);
int scratch_close(void **state);

/* "DIR/NAME", for the moment: one of eight buffers. */
const char *scratch_path(void **state, const char *name);

/* Writes a file of this mode. */
void scratch_write(void **state, const char *name, const char *text, mode_t mode);

/* What a shell command says on stdout and stderr, to be freed; *status is its exit status. */
char *scratch_shell(const char *command, int *status);
