/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * `exec`: in a container that is a VM the command is run in the guest, by sluice-exec.
 *
 * Engines give the command in a file of their own (--process), which they make for the call and
 * remove behind it. It is replaced in its place, at one stroke: under another name it would be
 * nobody's to remove, as this process has become the runtime by the time that has read it. By hand
 * the command is on the line, and the line is what is changed.
 */

#include "config/runtime_settings.h"
#include "launcher/oci/exec_words.h"
#include "launcher/oci/runtime_words.h"
#include "lib/err.h"

/* 0: the call is to be passed on: line->argv if there is one, which is the caller's to free, and
 * otherwise argv as it is. */
int runtime_exec(const struct runtime_words *words, const struct runtime_settings *settings,
	char *const *argv, struct exec_line *line, struct err *err);
