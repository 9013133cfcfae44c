/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Manual pages: text as troff takes it, with the macros of man(7). What is said here is shown as it
 * is: nothing in it is a request, an escape sequence or a typographer's hyphen.
 */

#include <stdio.h>

/* Of a paragraph, without a line's end. Lines of the text begin lines of the page. */
void roff_text(const char *text, FILE *out);

/* An entry of a list: "--name" in bold, then the unit, which may be NULL, in italics. What follows
 * is about it. */
void roff_entry(const char *name, const char *unit, FILE *out);

/* A subsection. */
void roff_heading(const char *text, FILE *out);
