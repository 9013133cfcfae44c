/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What verbs that are about a running VM have in common: which one, and how it is asked. */

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "launcher/run/vm_paths.h"
#include "lib/err.h"

struct vm_client_options {
	char name[32], run_dir[PATH_MAX];
	bool json, follow, stdio, help;
	uint32_t grace_s;
	struct vm_paths paths;
};

/* Options that a verb may have besides --name, --run-dir and --help. */
enum { VM_CLIENT_JSON = 1, VM_CLIENT_FOLLOW = 2, VM_CLIENT_GRACE = 4, VM_CLIENT_STDIO = 8 };

/* Defaults, SLUICE_NAME and SLUICE_RUN_DIR, words. With --help it prints that, and says so. */
int vm_client_parse(
	char *const *words, unsigned options, struct vm_client_options *o, struct err *err);

/* Whether the value of an option that a verb has is the word behind it. */
bool vm_client_takes_next(const char *word, unsigned options);

/* The options for a manual page: entries of a list. */
void vm_client_print_man(unsigned options, FILE *out);

/* Connects to the VM's control socket. -ENOENT, -ECONNREFUSED: there is no such VM. */
int vm_client_connect(const struct vm_client_options *o, int *fd, struct err *err);
