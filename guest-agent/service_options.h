/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The command line of sluice-agent, where it is not process 1. */

#include <stdio.h>

#include "guest-agent/service.h"

enum service_action { SERVICE_RUN, SERVICE_HELP, SERVICE_VERSION, SERVICE_USAGE };

/* What to do; SERVICE_USAGE: the command line is wrong, and that has been said. Strings of *options
 * point into argv. */
enum service_action service_options_parse(int argc, char **argv, struct service_options *options);

void service_options_print_help(FILE *out);

/* The options for a manual page: entries of a list. */
void service_options_print_man(FILE *out);
