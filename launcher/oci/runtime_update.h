/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * `update`, `checkpoint` and `restore` of a container that is a VM: of the first, what can be
 * (oci_update.h); the others, whose images have processes of the node's in them, are refused.
 */

#include "config/runtime_settings.h"
#include "launcher/oci/runtime_words.h"
#include "lib/err.h"

/* Whether the call is one of these. */
bool runtime_update_is_meant(const struct runtime_words *words);

/* 0: it is to be passed on, with argv and standard input as they are then. A container that nobody
 * knows is for the runtime to miss. -ENOTSUP: it cannot be. */
int runtime_update(const struct runtime_words *words, const struct runtime_settings *settings,
	char **argv, struct err *err);
