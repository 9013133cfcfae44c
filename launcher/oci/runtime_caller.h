/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Who calls, by the command line of our parent, of which no part is a pod's to choose but a value
 * here and there:
 *
 *   conmon ... -n NAME ... --exit-command PODMAN ...   podman, which so cleans up
 *   conmon ... -n NAME ..., conmonrs ...               CRI-O
 *   containerd-shim-runc-v2 -namespace k8s.io ...      containerd, for a kubelet
 *
 * And what podman calls a container, which is not in config.json: the name of one of `podman kube
 * play` is POD-CONTAINER. Other engines write it into the annotations (oci_annotations.h).
 */

#include <stddef.h>

#include "launcher/oci/oci_config.h"

#define RUNTIME_CALLER_NAME_MAX 256

struct runtime_caller {
	enum oci_engine engine;
	char name[RUNTIME_CALLER_NAME_MAX]; /* of the container; "": not said */
};

/* From a command line, words that end with NUL each. */
void runtime_caller_parse(const char *cmdline, size_t len, struct runtime_caller *caller);

/* From that of our parent; what it says is among *facts then, too, for as long as *caller is there.
 */
void runtime_caller_find(struct runtime_caller *caller, struct oci_facts *facts);
