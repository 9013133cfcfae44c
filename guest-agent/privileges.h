/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Makes the calling process the user it is to be, for good.
 *
 * A spec has one set of capabilities, and it bounds: root has these, another user has none but can
 * get these from a program's file capabilities, as in a container. Nothing is inheritable or
 * ambient.
 */

#include "config/process_spec.h"
#include "guest-agent/guest_user.h"
#include "lib/err.h"

/* Needs root. Groups first and the user last: each step takes away what the one before needed. */
int privileges_drop(
	const struct process_spec *spec, const struct guest_user *user, struct err *err);

/* Of the calling process: those that the spec names. */
int privileges_set_rlimits(const struct process_spec *spec, struct err *err);
