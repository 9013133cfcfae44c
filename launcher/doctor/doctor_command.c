/* SPDX-License-Identifier: BSD-3-Clause */

/* What is asked for the workload, and of a switch that is somebody else's. */

#include <unistd.h>

#include "config/vm_process.h"
#include "launcher/doctor/doctor.h"
#include "lib/unix_socket.h"

static void examine_process(struct doctor *d)
{
	struct process_spec process;
	struct err err = { "" };

	if (vm_process_make(d->settings, &process, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "process", NULL, "%s", err.text);
	else
		process_spec_free(&process);
}

static void examine_switch(struct doctor *d)
{
	const char *path = d->settings->switch_socket;
	struct err err = { "" };
	int fd;

	if (path[0] == '\0')
		return;
	fd = unix_connect(path, &err);
	if (fd < 0) {
		doctor_note(d, DOCTOR_FAIL, "switch-socket",
			"start a sluiced whose control-socket it is", "%s", err.text);
		return;
	}
	close(fd);
	if (doctor_needs_host_port(d))
		doctor_note(d, DOCTOR_FAIL, "switch-socket",
			"run without it, or without host-port and NFS and with dns direct",
			"there is no host port on a switch of somebody else's");
	else
		doctor_note(d, DOCTOR_OK, "switch-socket", NULL, "%s answers", path);
}

void doctor_examine_command(struct doctor *d)
{
	examine_process(d);
	examine_switch(d);
}
