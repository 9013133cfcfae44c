/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What podman calls a container: it is not in config.json, but on the command line of conmon, which
 * is our parent: `conmon ... -n NAME ...`. The name of a container of `podman kube play` is
 * POD-CONTAINER. Other engines write it into the annotations (oci_annotations.h).
 */

#include <stdbool.h>
#include <stddef.h>

#define RUNTIME_CALLER_NAME_MAX 256

/* The name that a command line of conmon has, words that end with NUL each; false: it is none. */
bool runtime_caller_parse(const char *cmdline, size_t len, char *name);

/* The same of our parent, into name[RUNTIME_CALLER_NAME_MAX]. */
bool runtime_caller_name(char *name);
