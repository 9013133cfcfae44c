/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The command line of sluice-vsock. It has no file, and takes nothing from the environment: who
 * starts it says all it has to know. */

#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"
#include "lib/log.h"

#define VSOCK_CID_MIN 3u          /* below are the hypervisor, loopback and the host */
#define VSOCK_CID_MAX 0xfffffffeu /* above is "any" */

struct vsock_config {
	char device[108]; /* sun_path */
	char host[108];
	uint32_t cid;
	enum log_level log_level;
	enum log_format log_format;
};

enum vsock_config_action { VSOCK_CONFIG_RUN, VSOCK_CONFIG_HELP, VSOCK_CONFIG_VERSION };

/* Returns what to do, or -EINVAL or -ERANGE. argv[argc] is NULL. */
int vsock_config_parse(int argc, char **argv, struct vsock_config *config, struct err *err);

/* Prints --help, with every setting. */
void vsock_config_print_help(FILE *out);

/* The same for a manual page: entries of a list. */
void vsock_config_print_man(FILE *out);
