/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>

void doctor_note(struct doctor *d, enum doctor_level level, const char *name, const char *advice,
	const char *found, ...)
{
	struct doctor_finding *finding = &d->findings[d->n_findings];
	va_list args;

	d->failed |= level == DOCTOR_FAIL;
	if (d->n_findings == DOCTOR_FINDINGS_MAX)
		return;
	*finding = (struct doctor_finding) { .level = level, .name = name, .advice = advice };
	va_start(args, found);
	vsnprintf(finding->found, sizeof(finding->found), found, args);
	va_end(args);
	d->n_findings++;
}

bool doctor_needs_host_port(const struct doctor *d)
{
	return d->settings->host_port || d->has_relay || d->settings->root == VM_ROOT_NFS ||
	       volumes_count(d->volumes, true) > 0;
}

const char *doctor_level_name(enum doctor_level level)
{
	static const char *const names[] = {
		[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail"
	};

	return names[level];
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
