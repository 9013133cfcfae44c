/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a process may do, as it is written on a command line or in an annotation, in the manner of
 * podman: lists have commas between their entries. -EINVAL and -ERANGE: one line that names the
 * entry.
 */

#include <stdint.h>

#include "config/process_spec.h"
#include "lib/err.h"

/* "022": octal digits. */
int process_text_umask(const char *text, uint32_t *umask, struct err *err);

/* "nofile=1024:4096,core=0,nproc=-1": NAME=SOFT[:HARD], where -1 and "unlimited" are no limit, and
 * SOFT alone is both. Into spec->rlimits, which are none before. */
int process_text_rlimits(const char *text, struct process_spec *spec, struct err *err);

/*
 * Capabilities of a process that has all of them, but for those dropped, and with those added:
 * "NET_RAW,CAP_SYS_ADMIN", or "ALL"; either may be "". Whatever is added is also left to a user who
 * is not root. Nothing dropped: spec->capabilities stay unsaid.
 */
int process_text_capabilities(
	const char *add, const char *drop, struct process_spec *spec, struct err *err);
