/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Settings in manual pages: made of the tables when Sluice is built, so that they say what holds.
 */

#include <stdio.h>

#include "config/settings.h"

/*
 * An entry for every row of `groups` (bits; 0: all): name behind `lead` ("--" or ""), unit, help,
 * what is allowed, default and environment variable.
 */
void settings_man(const struct settings *table, unsigned groups, const char *lead, FILE *out);

/* An option that no table has. */
struct option_text {
	const char *names; /* "-j, --json" */
	const char *unit;  /* NULL: it takes no value */
	const char *help;  /* a phrase */
};

/* They end with a NULL name. For --help, and for a manual page. */
void option_text_print_help(const struct option_text *options, FILE *out);
void option_text_man(const struct option_text *options, FILE *out);
