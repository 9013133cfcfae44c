/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Where a program of ours is that is run in the machine root: in the directory of the settings, or
 * where meson installs it in relation to that. */

#include "config/runtime_settings.h"
#include "lib/err.h"

/* Into path[PATH_MAX], as it is named in the machine root. -ENOENT: it is not there. */
int runtime_client_find(
	const struct runtime_settings *settings, const char *name, char *path, struct err *err);
