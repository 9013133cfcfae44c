/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdio.h>

/* Closes `out`, of open_memstream(3) with *text, and returns that: to be freed; NULL, and nothing
 * to free, if not all of it could be kept. */
char *memstream_text(FILE *out, char **text);
