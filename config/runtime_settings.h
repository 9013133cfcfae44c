/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The settings of sluice-runtime: the object "runtime" of /etc/sluice/sluice.json, whose other keys
 * are those of sluice-vm (vm_settings.h) and pass through here unread. They are the
 * administrator's: nothing of a pod changes them.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

#define RUNTIME_LIST_MAX 1024

struct runtime_settings {
	char runtime[PATH_MAX]; /* "path": what runs containers, absolute; the first of the usual
				   places that has runc or crun */
	/*
	 * "machine-root": "" is a skeleton with the node's /usr; otherwise an unpacked Sluice
	 * image, whose top-level directories take its place. Bound read-only.
	 */
	char machine_root[PATH_MAX];
	char machine_binds[RUNTIME_LIST_MAX]; /* "machine-binds": more of the node, read-only, at
						 the same path: "/opt/sluice,/srv/kernels" */
	char programs[PATH_MAX]; /* "programs": where sluice-vm and sluice-exec are in the machine
				    root; by default the directory that sluice-runtime is in */
	bool always;             /* "always": every container that is no sandbox becomes a VM */
	char annotations[RUNTIME_LIST_MAX]; /* "annotations": host-affecting settings that pods may
					       set all the same: "kernel,modules-dir" */
	bool exec_in_container;  /* "exec-in-container": SLUICE_EXEC_TARGET=container is heard */
	uint32_t memory_outside; /* "memory-overhead": "inside" (0, of the container's limit) or
				    "outside" (1, the RuntimeClass accounts for it) */
	uint32_t overhead_mib;   /* "overhead", 96: what the VM takes besides the guest's memory */
	uint32_t overhead_per_gib_mib; /* "overhead-per-gib", 12: and for each GiB of that */
};

/*
 * Defaults if there is no such file. `path` NULL: VM_CONFIG_PATH. After a failure *settings are
 * sound, but may be the defaults: whoever can do without the rest has a runtime.
 */
int runtime_settings_load(const char *path, struct runtime_settings *settings, struct err *err);

/* Every setting, for --help, and for a manual page: entries of a list. */
void runtime_settings_print_help(FILE *out);
void runtime_settings_print_man(FILE *out);
