/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a process that was forked, and has not executed a program, may do before it does: only calls
 * that are async-signal-safe (signal-safety(7)).
 */

#include <stdbool.h>
#include <stddef.h>

/*
 * Ends the forked process, without what exit(3) would do in the parent's name: handlers, flushing
 * its buffers.
 */
_Noreturn void forked_end(int status);

/* Every signal's default action, and none blocked. */
void forked_reset_signals(void);

/*
 * SIGKILL when the thread that forked us ends. false: it already has. `parent` is what it saw as
 * its getpid(2).
 */
bool forked_die_with(int parent);

/* in, out and err (-1: /dev/null) become 0, 1 and 2. 0 or negative errno. */
int forked_set_stdio(int in, int out, int err);
