/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What sluice-runtime makes of a process.json on `exec` in a converted container: the static exec
 * client with the user, the working directory and the terminal said explicitly, then `--` and the
 * command. The environment stays the process's own, is passed on by --inherit-env and never read:
 * no LD_PRELOAD reaches a program of ours. A pure function over the JSON tree.
 *
 *   { "user": { "uid": 33, "gid": 33, "additionalGids": [4] }, "cwd": "/srv", "args": ["id"], ... }
 *   sluice-exec --interactive --inherit-env --guest-home --user 33:33 --group-add 4 --cwd /srv --
 * id
 *
 * HOME, where the environment has none, is what the guest's passwd says: the runtime would take it
 * from that of the machine root.
 *
 * Standard input is always passed on: an engine whose user wants none gives /dev/null. What the
 * client itself runs with is the least that it can do with: root of the machine root without a
 * capability. Limits, umask and capabilities of the command are the workload's, whatever the
 * process.json has.
 *
 * SLUICE_EXEC_TARGET=container in the environment leaves the command where the engine would have
 * run it, in the machine root on the node's kernel, if the administrator allows it.
 */

#include <stdbool.h>

#include <json-c/json.h>

#include "config/runtime_settings.h"
#include "lib/err.h"

#define OCI_EXEC_TARGET "SLUICE_EXEC_TARGET="

/* Where an exec is to be, as a string of its environment says. */
enum oci_exec_target { OCI_EXEC_UNSAID, OCI_EXEC_VM, OCI_EXEC_CONTAINER };

/* Returns enum oci_exec_target. -EINVAL: somewhere else; -EPERM: it may not leave the VM. */
int oci_exec_target(const char *string, const struct runtime_settings *settings, struct err *err);

/* Whether that string of an environment says where home is; an empty HOME says nothing. */
bool oci_exec_is_home(const char *string);

/*
 * Edits *process in place; `client` is sluice-exec's path in the machine root; `image_target` is
 * the OCI_EXEC_TARGET... of the container's own environment, which is not heard; NULL: none. 1: it
 * stays as it is, and outside. -EINVAL, -ERANGE: not a process; -EPERM: it may not leave the VM.
 * After a failure *process is to be thrown away.
 */
int oci_exec_convert(json_object *process, const char *client,
	const struct runtime_settings *settings, const char *image_target, struct err *err);
