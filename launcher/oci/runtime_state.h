/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Whether a container is one that we have made a VM of: its annotations say so, which the runtime
 * that runs it is asked for (`state ID`). */

#include "config/runtime_settings.h"
#include "launcher/oci/runtime_words.h"
#include "lib/err.h"

/*
 * 1 or 0; argv is what *words are of. Global options are the runtime's, too, but for those about
 * its log: there, only what became of the call itself is to be found. -EIO: it did not say, and
 * why.
 */
int runtime_state_is_converted(const struct runtime_settings *settings,
	const struct runtime_words *words, char *const *argv, struct err *err);
