/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/vm_paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/agent_wire.h"

/* What is behind the longest of them: NAME.vsock_4294967295, NAME/sluiced.notify. */
#define REST_MAX 20

int vm_paths_make(struct vm_paths *paths, const char *run_dir, const char *name, struct err *err)
{
	const struct {
		char *path;
		const char *format;
	} rows[] = {
		{ paths->run_dir, "%1$s" },
		{ paths->dir, "%1$s/%2$s" },
		{ paths->switch_control, "%1$s/%2$s/sluiced.sock" },
		{ paths->switch_port, "%1$s/%2$s.sock" },
		{ paths->vsock, "%1$s/%2$s.vsock" },
		{ paths->shared_ports, "%1$s/%2$s.vsock_" AGENT_SHARED_PORT_TEXT },
		{ paths->control, "%1$s/%2$s/control" },
		{ paths->console, "%1$s/%2$s/console" },
		{ paths->switch_config, "%1$s/%2$s/sluiced.json" },
		{ paths->vsock_device, "%1$s/%2$s/vsock.device" },
		{ paths->fs_device, "%1$s/%2$s/fs.device" },
		{ paths->initrd, "%1$s/%2$s/initrd" },
		{ paths->switch_notify, "%1$s/%2$s/sluiced.notify" },
		{ paths->vsock_notify, "%1$s/%2$s/vsock.notify" },
		{ paths->nfs_dir, "%1$s/%2$s/nfs" },
		{ paths->log, "%1$s/%2$s.log" },
	};

	if (strlen(run_dir) + strlen(name) + REST_MAX >= VM_PATH_MAX)
		return err_set(err, -ENAMETOOLONG,
			"run-dir: \"%s/%s\" is longer than %d bytes, which sockets' names do not "
			"allow",
			run_dir, name, VM_PATH_MAX - REST_MAX - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		snprintf(rows[i].path, VM_PATH_MAX, rows[i].format, run_dir, name);
	return 0;
}
