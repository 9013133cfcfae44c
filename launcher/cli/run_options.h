/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The command line of `sluice-vm run`: settings, what can be said more than once, and the command.
 */

#include "config/container_spec.h"
#include "config/vm_settings.h"
#include "launcher/run/volume.h"
#include "lib/err.h"

struct run_options {
	bool help;
	struct vm_settings settings;
	struct volumes volumes;
	char *const *argv; /* NULL: none; points into the words, or is the container's */
	char **env;        /* ends with NULL */
	size_t n_env;
	bool has_container; /* --container was said (run_container.h) */
	struct container_spec container;
};

/* What the command's environment is. */
static inline char *const *run_options_env(const struct run_options *options)
{
	return options->has_container ? options->container.env : options->env;
}

/*
 * Takes the words apart, which stay the caller's, and loads the settings. -EINVAL: one line names
 * the word. The caller frees *options in any case.
 */
int run_options_parse(char **words, struct run_options *options, struct err *err);

void run_options_free(struct run_options *options);

void run_options_print_help(FILE *out);

/* The options for a manual page: entries of a list. */
void run_options_print_man(FILE *out);
