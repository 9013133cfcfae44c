/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The kernel's own file systems, as a PID 1 needs them. */

#include "lib/err.h"

/* Where the agent keeps what is its own: on a tmpfs, for nobody else. */
#define AGENT_DIR "/run/sluice"

/* /dev, for the console. */
int early_mounts_dev(struct err *err);

/*
 * The rest: /proc, /sys, /dev/pts, /dev/shm, /run, cgroup2. What is there already is left as it is.
 * What the kernel does not have is told on the console; an error is only what nothing works
 * without. What the initramfs has in /run is hidden.
 */
int early_mounts_rest(struct err *err);
