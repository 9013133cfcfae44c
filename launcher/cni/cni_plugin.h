/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A CNI plugin that does not touch the network (CNI specification, versions 0.3.1 to 1.1.0).
 *
 * Chained behind a plugin that makes a pod's interface it says where a VM's socket is, and else
 * nothing. Alone it gives out addresses, and makes no interface, bridge or route: for a node where
 * none can be made, or where something else connects the pods.
 */

#include <jansson.h>

#include "launcher/cni/cni_code.h"

#define CNI_INPUT_MAX (16 * 1024 * 1024) /* of a node with some 100 000 attachments */

/* What the runtime says in the environment, NULL where it says nothing. */
struct cni_environment {
	const char *command, *container_id, *netns, *ifname;
};

/* Reads the configuration to its end and does what is asked for. *answer is a new reference, which
 * goes to the standard output (of a failure too), or NULL: nothing does. */
enum cni_code cni_plugin_run(const struct cni_environment *env, int input, json_t **answer);
