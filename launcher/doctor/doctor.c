/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/doctor/doctor.h"

#include "launcher/run/datapath_choice.h"
#include "launcher/run/machine_kind.h"

bool doctor_needs_host_port(const struct doctor *d)
{
	return d->settings->host_port || d->has_relay || d->settings->root == VM_ROOT_NFS ||
	       volumes_count(d->volumes, true) > 0;
}

bool doctor_needs_tap(const struct doctor *d)
{
	return !(machine_kind(d->settings)->can & VMM_CAN_VHOST_NET) ||
	       datapath_is_tap(d->settings);
}

void doctor_examine(
	struct doctor *d, const struct vm_settings *settings, const struct volumes *volumes)
{
	*d = (struct doctor) { .settings = settings, .volumes = volumes };
	doctor_examine_programs(d);
	doctor_examine_machine(d);
	doctor_examine_network(d);
	doctor_examine_command(d);
	doctor_examine_pod(d);
	doctor_examine_storage(d);
}
