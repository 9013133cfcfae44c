/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What sluice-runtime makes of a process.json on `exec` in a converted container: the static exec
 * client with the user, the working directory and the terminal said explicitly, then `--` and the
 * command. The environment stays the process's own, is passed on by --inherit-env and never read:
 * no LD_PRELOAD reaches a program of ours. A pure function over the JSON tree.
 *
 * SLUICE_EXEC_TARGET=container in the environment leaves the command where the engine would have
 * run it, in the machine root on the node's kernel, if the administrator allows it.
 */

#include <json-c/json.h>

#include "config/runtime_settings.h"
#include "lib/err.h"

/* Edits *process in place. -EINVAL: not a process; -EPERM: it may not leave the VM. */
int oci_exec_convert(
	json_object *process, const struct runtime_settings *settings, struct err *err);
