/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What init says: lines "sluice-agent: ..." on stderr, which of a PID 1 is the kernel's console. */

#include "lib/err.h"

/*
 * Descriptors 0 to 2 of a PID 1: nothing to read, and the console to write to. It does not block: a
 * line that nobody takes is lost, and the machine goes on.
 */
int console_open(struct err *err);

/* One line; what is not printable has become '?'. */
void console_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
