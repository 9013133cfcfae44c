/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Whether a container is one that we have made a VM of: its annotations say so, which the runtime
 * that runs it is asked for (`state ID`). */

#include <stdbool.h>

#include "config/runtime_settings.h"
#include "launcher/oci/runtime_words.h"
#include "lib/err.h"

struct runtime_state {
	bool converted;
	char *image_target; /* see OCI_IMAGE_TARGET; NULL: it has none */
	char *bundle;       /* NULL: it was not said */
};

/*
 * argv is what *words are of. Global options are the runtime's, too, but for those about its log:
 * there, only what became of the call itself is to be found. The caller frees *out if this returns
 * 0. -EIO: the runtime did not say, and why; -EPROTONOSUPPORT: it is a VM of another version's.
 */
int runtime_state_read(const struct runtime_settings *settings, const struct runtime_words *words,
	char *const *argv, struct runtime_state *out, struct err *err);

void runtime_state_free(struct runtime_state *state);
