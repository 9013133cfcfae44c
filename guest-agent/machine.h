/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What this machine was told about itself: taken from the initramfs, where it lies in three files
 * (config/machine_spec.h), and kept on the agent's own tmpfs.
 */

#include <stddef.h>

#include "config/machine_spec.h"
#include "lib/err.h"

struct machine {
	struct machine_spec spec;
	char **argv; /* NULL: none was given */
	char **env;
};

/* The texts of the three files. */
struct machine_files {
	char *spec, *argv, *env;
	size_t spec_len, argv_len, env_len;
};

/*
 * Reads them and removes them: before anything is mounted over them. A file that is not there is
 * NULL. To be freed, also after an error.
 */
int machine_files_take(struct machine_files *files, struct err *err);
void machine_files_free(struct machine_files *files);

/* Puts the spec where the agent keeps it, for its owner alone. */
int machine_files_keep(const struct machine_files *files, struct err *err);

/* -ENOENT: there is no spec; -EINVAL: it, or a vector, is none. *machine is to be freed if this
 * returns 0. */
int machine_decode(const struct machine_files *files, struct machine *machine, struct err *err);
void machine_free(struct machine *machine);
