/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What nfs-ganesha is told: its configuration file, and where its files are. */

#include "launcher/storage/nfs.h"

#define NFS_CONFIG_NAME   "ganesha.conf"
#define NFS_PID_NAME      "ganesha.pid"
#define NFS_RECOVERY_NAME "recovery"

/* Writes it (0600) and makes the recovery directory. -EINVAL: it cannot say such a path. */
int nfs_config_write(const struct nfs_plan *plan, struct err *err);
