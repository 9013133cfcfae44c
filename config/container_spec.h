/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A container that is to run in a VM, as sluice-runtime tells `sluice-vm run --container FILE`: what
 * of the engine's config.json is the guest's. The file is /sluice/container.json of the machine
 * root, 0600, because environments hold secrets and command lines are everybody's to read. JSON,
 * strict, version 1:
 *
 *   version *      1
 *   settings {}    of the table (vm_settings.h), each a string as an annotation has it:
 *                  { "vmm": "uml", "memory": "448" }. Stronger than sluice.json, weaker than
 *                  SLUICE_* and the command line; whoever wrote them has decided that they may be set
 *   hostname       "web-0"; absent: the pod's
 *   share *        "/sluice/share": a directory that is ready to be exported, with rootfs and vol/0,
 *                  vol/1 ... in it (storage/share.h)
 *   readonly       false: of the root
 *   volumes []     { kind * "virtiofs" | "nfs" | "tmpfs", destination *, options, readonly,
 *                  optional }: in the order of mounting. Those that are no tmpfs are vol/0, vol/1 ...
 *                  of the share, in this order
 *   process *      process_spec.h
 *   args * []      strings, at least one
 *   env []         "NAME=VALUE"
 */

#include <stddef.h>

#include "config/machine_spec.h"
#include "config/process_spec.h"
#include "lib/err.h"

#define CONTAINER_SPEC_VERSION 1
#define CONTAINER_SPEC_MAX     (8U << 20) /* bytes of its JSON */
#define CONTAINER_SPEC_PATH    "/sluice/container.json"
#define CONTAINER_SHARE        "/sluice/share"

struct container_setting {
	char *key, *value;
};

struct container_spec {
	struct container_setting *settings;
	size_t n_settings;
	char *hostname; /* NULL: not said */
	char *share;
	bool readonly;
	struct machine_mount *volumes; /* source NULL */
	size_t n_volumes;
	struct process_spec process;
	char **args, **env; /* ended by NULL */
};

/* The caller frees *spec if this returns 0. -EINVAL: one line says what and where. */
int container_spec_parse(const char *text, size_t len, struct container_spec *spec, struct err *err);

void container_spec_free(struct container_spec *spec);
