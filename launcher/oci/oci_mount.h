/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * One mount of a config.json: what it is to a VM, and its options, which an engine gives as words,
 * those of mount(8) and the file system's own mixed.
 */

#include <stdbool.h>

#include <json-c/json.h>

#include "lib/err.h"

enum oci_mount_use {
	OCI_MOUNT_KERNEL, /* /proc and the like: of the machine root as it is */
	OCI_MOUNT_SHM,    /* bound to /dev/shm: memory of the node's, or a volume as any other */
	OCI_MOUNT_POD,    /* /etc/hosts and the like: sluice-vm reads the pod from it */
	OCI_MOUNT_TMPFS,  /* memory: of the guest's */
	OCI_MOUNT_SHARE,  /* a volume */
};

struct oci_mount {
	json_object *object;
	const char *destination; /* absolute, plain, not the root */
	const char *type;        /* "" */
	const char *source;      /* "" */
	json_object *options;    /* strings; NULL: none */
	enum oci_mount_use use;
	bool readonly;
};

/* Everything is borrowed of `object`. -EINVAL: it is no mount; -ENOTSUP: a VM cannot have it. */
int oci_mount_read(json_object *object, struct oci_mount *mount, struct err *err);

/* What of its options is the guest's: "nosuid,size=64m"; to be freed. `tmpfs`: with those of a
 * tmpfs. "": none; NULL: no memory. */
char *oci_mount_guest_options(const struct oci_mount *mount, bool tmpfs);

/*
 * What its options are where it is bound to be served: the engine's own, propagated from the node
 * but not to it, and without set-user-ID, devices and execution, for which a file server has no
 * use. A new array; NULL: no memory.
 */
json_object *oci_mount_share_options(const struct oci_mount *mount);
