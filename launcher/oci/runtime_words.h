/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The command line of an OCI runtime, as podman (conmon), containerd and CRI-O give it: global
 * options, a verb, its options, the container's ID. Only found in, never reordered: what is not
 * edited goes to the real runtime word by word. Unknown verbs and options are other people's.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

struct runtime_words {
	const char *verb;      /* NULL: none, as of --version */
	size_t n_global;       /* words before the verb */
	const char *bundle;    /* create, run: --bundle, -b; NULL: the working directory */
	const char *process;   /* exec: --process, -p; NULL: the command is on the line */
	const char *resources; /* update: --resources, -r; NULL */
	size_t resources_at;   /* the index of the word that ends with it */
	const char *memory;    /* update: --memory, --memory-swap; NULL */
	const char *id;  /* create, run, exec, update, checkpoint, restore; NULL: none was found */
	size_t id_at;    /* its index */
	const char *log; /* --log; NULL */
	bool log_json;   /* --log-format json */
};

/*
 * Words are borrowed. An option that nobody has told us of has no value, unless the word behind it
 * would then be an unknown verb and the next one a known one. -EINVAL: an option that needs a value
 * has none, or crun's create --config: what is in the bundle is converted, and nothing else.
 */
int runtime_words_parse(int argc, char *const *argv, struct runtime_words *words, struct err *err);
