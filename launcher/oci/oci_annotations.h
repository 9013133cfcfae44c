/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a container's annotations say: those that engines write about what it is, and sluice.dev/
 * ones, which are the pod's. Pods have them in common, so that a sidecar has those of the container
 * that becomes a VM too.
 *
 *   sluice.dev/vm        "true", "false", or the name of the container that becomes a VM
 *   sluice.dev/volumes   "/data=nfs,/cache=optional,/both=nfs+optional": destinations of volumes
 *                        (NFS only if the administrator lets pods: oci_config.c)
 *   sluice.dev/KEY       a setting of the VM (vm_settings.h)
 *
 * How a container's name is known: containerd and CRI-O write it down (io.kubernetes.cri.
 * container-name, io.kubernetes.container.name); podman gives its own, which for a container of
 * `kube play` is POD-CONTAINER.
 *
 * Strings are borrowed of the tree.
 */

#include <stdbool.h>

#include <json-c/json.h>

#include "lib/err.h"

struct oci_annotations {
	json_object *object; /* NULL: none */
	/* containerd, or CRI-O, says that it is one; but with another engine anybody can */
	bool containerd_sandbox, crio_sandbox;
	const char *vm, *volumes; /* NULL: not said */
	const char *name;         /* of the container; NULL */
	bool podman, in_pod;      /* it is podman's; an engine says that it is in a pod */
	bool privileged;          /* podman says it */
};

/* -EINVAL: they are none; or sluice.dev/converted is there, which is not for pods to say. */
int oci_annotations_read(json_object *config, struct oci_annotations *out, struct err *err);

/*
 * Checks the settings among them, and puts them into `settings` (NULL: only checks) by their names.
 * `allowed`: those that affect the node and may be set all the same. What
 * vm_settings_check_annotation() returns.
 */
int oci_annotations_settings(const struct oci_annotations *annotations, const char *allowed,
	json_object *settings, struct err *err);

/*
 * Whether sluice.dev/vm means this container; `engine_name` and `pod` (NULL: not known) are for
 * engines whose annotations have no name. Returns 1 or 0. -EINVAL: it is no name, or there is none
 * to compare it with.
 */
int oci_annotations_mean(const struct oci_annotations *annotations, const char *engine_name,
	const char *pod, struct err *err);

/* The container of a pod that sluice.dev/vm names, for one that is not it; NULL: none, or this is a
 * sandbox. */
const char *oci_annotations_other(json_object *config);
