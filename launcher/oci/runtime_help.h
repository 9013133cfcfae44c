/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What sluice-runtime does for a person, not for an engine: --help and doctor. */

#include <stdbool.h>
#include <stdio.h>

/* argv has a word. */
bool runtime_help_is_meant(int argc, char *const *argv);

/* Returns an exit status. */
int runtime_help(int argc, char *const *argv);

/* Its own options as entries of a manual page's list. */
void runtime_help_print_man(FILE *out);
