/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What the guest's kernel and its agent say: read from a pipe, kept in two files of which the older
 * one is thrown away when the newer is full, so that between half and all of the limit is there.
 * The limit holds whatever the guest writes.
 *
 * Thread-safety: main thread.
 */

#include <stddef.h>
#include <stdio.h>

#include "lib/err.h"

struct console;
struct event_base;

/* The files are `path` and `path`.old, 0600, made anew. */
int console_open(struct event_base *loop, const char *path, size_t limit, struct console **out,
	struct err *err);

/* The writing end for the VMM, which the console owns and keeps open: console_close_writer() when
 * the VMM has it, so that the pipe ends with it. */
int console_writer(const struct console *console);
void console_close_writer(struct console *console);

/* Takes in what has been written so far, without the loop. */
void console_drain(struct console *console);

/* The last `n_lines` lines of the files at `path`, each behind `lead`; bytes that are not printable
 * become '?'. */
void console_print_tail(const char *path, unsigned n_lines, const char *lead, FILE *out);

/* The files stay. May be NULL. */
void console_free(struct console *console);
