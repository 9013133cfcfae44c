/* SPDX-License-Identifier: BSD-3-Clause */

/* What makes the machine: its VMM, what accelerates it, its kernel; and our own programs. */

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launcher/image/kernel.h"
#include "launcher/image/kernel_elf.h"
#include "launcher/doctor/doctor.h"
#include "launcher/run/machine_kind.h"
#include "launcher/process/program.h"
#include "launcher/process/programs.h"
#include "launcher/vmm/kvm.h"
#include "launcher/vmm/vmm.h"

/* --- our programs ---------------------------------------------------------------------------- */

static void examine_program(struct doctor *d, const char *name)
{
	char path[PATH_MAX];
	struct err err = { "" };

	if (programs_find(name, path, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, name, "install Sluice as a whole", "%s", err.text);
	else
		doctor_note(d, DOCTOR_OK, name, NULL, "%s", path);
}

static void examine_agent(struct doctor *d)
{
	const char *set = d->settings->agent;
	char path[PATH_MAX];
	struct err err = { "" };

	if (set[0] == '\0')
		examine_program(d, "sluice-agent");
	else if (program_find(set, path, &err) < 0)
		doctor_note(
			d, DOCTOR_FAIL, "sluice-agent", "set agent to where it is", "%s", err.text);
	else
		doctor_note(d, DOCTOR_OK, "sluice-agent", NULL, "%s", path);
}

void doctor_examine_programs(struct doctor *d)
{
	examine_program(d, "sluiced");
	examine_program(d, "sluice-vsock");
	examine_program(d, "sluice-exec");
	examine_program(d, "sluice-fs-relay");
	examine_agent(d);
}

/* --- machine --------------------------------------------------------------------------------- */

static void examine_accel(struct doctor *d)
{
	bool only = (machine_kind(d->settings)->can & VMM_NEEDS_KVM) != 0;
	bool must = only || d->settings->accel == VM_ACCEL_KVM;
	struct err err = { "" };

	if (d->settings->accel == VM_ACCEL_TCG && !only)
		doctor_note(d, DOCTOR_OK, "kvm", NULL, "is not used (accel tcg)");
	else if (kvm_usable(&err) == 0)
		doctor_note(d, DOCTOR_OK, "kvm", NULL, "can be used");
	else
		doctor_note(d, must ? DOCTOR_FAIL : DOCTOR_WARN, "kvm",
			only ? "without KVM there is QEMU, which can emulate (vmm qemu)"
			     : "without KVM guests are emulated, which is slow (accel tcg)",
			"%s", err.text);
}

static int find_kernel(const struct vmm_kind *kind, const struct vm_settings *s,
	struct kernel *kernel, struct err *err)
{
	int ret = kernel_find(kind == &vmm_uml, s->kernel, s->modules_dir, kernel, err);

	return ret == 0 && (kind->can & VMM_NEEDS_ELF) ? kernel_elf_check(kernel->path, err) : ret;
}

/* False: there is none that it could boot. */
static bool examine_kernel(struct doctor *d, const struct vmm_kind *kind, struct kernel *kernel)
{
	struct err err = { "" };

	if (find_kernel(kind, d->settings, kernel, &err) < 0) {
		doctor_note(d, DOCTOR_FAIL, "kernel",
			kind == &vmm_uml
				? "install user-mode-linux, or set kernel and modules-dir"
				: "install linux-image-cloud-amd64, or set kernel and modules-dir",
			"%s", err.text);
		return false;
	}
	doctor_note(d, DOCTOR_OK, "kernel", NULL, "%s", kernel->path);
	if (kernel->modules_dir[0] != '\0')
		doctor_note(d, DOCTOR_OK, "modules", NULL, "%s", kernel->modules_dir);
	else
		doctor_note(d, DOCTOR_WARN, "modules", "set modules-dir, unless all is built in",
			"none are beside the kernel");
	return true;
}

/* As much of the path as is there. */
static void existing_part(const char *path, char *part)
{
	snprintf(part, PATH_MAX, "%s", path);
	while (part[1] != '\0' && access(part, F_OK) < 0) {
		char *slash = strrchr(part, '/');

		slash[slash == part] = '\0';
	}
}

/* The VM's own directory comes to be in run-dir: what holds for one holds for the other. */
static void examine_vmm(struct doctor *d, const char *kernel)
{
	const struct vm_settings *s = d->settings;
	const struct vmm_kind *kind = machine_kind(s);
	char run_dir[PATH_MAX];
	const struct vmm_plan plan = { .name = s->name,
		.program = s->vmm_program[0] != '\0' ? s->vmm_program : NULL,
		.run_dir = run_dir,
		.kernel = kernel,
		.n_cpus = s->cpus,
		.memory_mib = s->memory_mib,
		.accel = VMM_ACCEL_TCG, /* of the other one has been spoken */
		.machine = s->machine == VM_MACHINE_MICROVM ? "microvm" : "q35" };
	struct err err = { "" };

	existing_part(s->run_dir, run_dir);
	if (kind->check(&plan, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "vmm",
			kind == &vmm_qemu  ? "install qemu-system-x86, or set vmm-program"
			: kind == &vmm_uml ? NULL
					   : "install it, or set vmm-program",
			"%s: %s", kind->name, err.text);
	else if ((kind->can & VMM_IS_BOUNDARY) == 0)
		doctor_note(d, DOCTOR_WARN, "vmm", "for guests that are trusted",
			"%s can be started; it is no security boundary", kind->name);
	else
		doctor_note(d, DOCTOR_OK, "vmm", NULL, "%s can be started", kind->name);
}

static void examine_kind(struct doctor *d, const struct vmm_kind *kind)
{
	struct err err = { "" };

	if (machine_kind_check(kind, d->settings, d->volumes, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "devices", NULL, "%s", err.text);
}

void doctor_examine_machine(struct doctor *d)
{
	const struct vmm_kind *kind = machine_kind(d->settings);
	struct kernel kernel;
	bool found;

	if (kind != &vmm_uml)
		examine_accel(d);
	examine_kind(d, kind);
	found = examine_kernel(d, kind, &kernel);
	/* Of UML the kernel is the VMM. Another's may have to be unpacked before it is looked at.
	 */
	if (kind == &vmm_uml && found)
		examine_vmm(d, kernel.path);
	else if (kind != &vmm_uml)
		examine_vmm(
			d, found && !(kind->can & VMM_NEEDS_ELF) ? kernel.path : "/proc/self/exe");
}
