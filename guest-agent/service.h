/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The agent in a machine that has an init of its own: it serves execs in the root that it finds,
 * and nothing else. Asked for the machine's end, it asks that init. It ends by SIGTERM or SIGINT.
 */

#include "lib/err.h"

struct service_options {
	const char *root;       /* of what it runs: "/" */
	const char *socket_dir; /* NULL: vsock */
};

int service_run(const struct service_options *options, struct err *err);
