/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * `sluice-vm run --container FILE`: what is to run comes from a file of sluice-runtime's
 * (config/container_spec.h) and not from words: the root, volumes, the hostname, the command, its
 * environment, and who it is. There is one place for each of these: words of the command line that
 * say them are refused, settings of the file's that do so too, and what sluice.json or the
 * environment has of them does not count.
 */

#include "launcher/cli/run_options.h"

/* Reads the file, once: options->container. -EINVAL: it is none; other codes: it cannot be read. */
int run_container_read(const char *path, struct run_options *options, struct err *err);

/* Words for settings_from_args(): -EINVAL if one of them is the container's to say. */
int run_container_check_words(char *const *words, struct err *err);

/* What the container says takes its place among the options, whose settings have been loaded. */
int run_container_apply(struct run_options *options, struct err *err);
