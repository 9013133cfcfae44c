/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/vmm/qemu_args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

struct machine {
	const char *name;
	const char *bus; /* how the names of its virtio devices end */
	bool pci;
};

static const struct machine machines[] = {
	{ .name = "q35", .bus = "pci", .pci = true },
	{ .name = "microvm", .bus = "device" },
};

static const struct machine *find_machine(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof(machines) / sizeof(machines[0]); i++)
		if (strcmp(machines[i].name, name) == 0)
			return &machines[i];
	return NULL;
}

/* A value among options: its commas doubled. To be freed; NULL: no memory. */
static char *quote(const char *value)
{
	char *quoted = malloc(2 * strlen(value) + 1);
	char *at = quoted;

	if (quoted == NULL)
		return NULL;
	for (; *value != '\0'; value++) {
		if (*value == ',')
			*at++ = ',';
		*at++ = *value;
	}
	*at = '\0';
	return quoted;
}

/* Two words: an option, and a value that is `before`, `value` quoted, `after`. */
static void add_quoted(struct argv *argv, const char *option, const char *before, const char *value,
	const char *after)
{
	cleanup_free char *quoted = quote(value);

	argv_add(argv, "%s", option);
	argv_add(argv, "%s%s%s", before, quoted != NULL ? quoted : "", after);
	if (quoted == NULL)
		argv->failed = true;
}

static void add(struct argv *argv, const char *option, const char *value)
{
	argv_add(argv, "%s", option);
	argv_add(argv, "%s", value);
}

/* A device behind a chardev that connects to a vhost-user backend. */
static void add_backend(struct argv *argv, const char *id, const char *socket, const char *after)
{
	char before[96];

	snprintf(before, sizeof(before), "socket,id=%s,path=", id);
	add_quoted(argv, "-chardev", before, socket, after);
}

static const char *vectors(const struct machine *machine, const struct qemu_run *run)
{
	return machine->pci && !run->kvm ? ",vectors=0" : "";
}

static void add_nic(const struct machine *machine, const struct qemu_run *run,
	const struct vmm_nic *nic, size_t index, struct argv *argv)
{
	char text[64], mac[MAC_TEXT_MAX], mtu[32] = "";

	if (nic->socket != NULL) {
		snprintf(text, sizeof(text), "link%zu", index);
		add_backend(argv, text, nic->socket, ",reconnect=1");
		argv_add(argv, "-netdev");
		argv_add(argv, "vhost-user,id=net%zu,chardev=link%zu", index, index);
	} else {
		snprintf(text, sizeof(text), "tap,id=net%zu,ifname=", index);
		add_quoted(argv, "-netdev", text, nic->tap, ",script=no,downscript=no");
	}
	if (nic->mtu != 0)
		snprintf(mtu, sizeof(mtu), ",host_mtu=%u", nic->mtu);
	argv_add(argv, "-device");
	/* It has no ROM to boot from: a package of its own. */
	argv_add(argv, "virtio-net-%s,netdev=net%zu,mac=%s%s%s%s", machine->bus, index,
		mac_format(&nic->mac, mac), mtu, machine->pci ? ",romfile=" : "",
		nic->socket != NULL ? vectors(machine, run) : "");
}

static void add_share(const struct machine *machine, const struct qemu_run *run,
	const struct vmm_share *share, struct argv *argv)
{
	char before[64];

	add_backend(argv, "share", share->socket, "");
	snprintf(before, sizeof(before),
		"vhost-user-fs-%s,chardev=share,queue-size=1024,tag=", machine->bus);
	add_quoted(argv, "-device", before, share->tag, vectors(machine, run));
}

static void add_vsock(const struct machine *machine, const struct qemu_run *run, const char *socket,
	struct argv *argv)
{
	add_backend(argv, "vsock", socket, "");
	argv_add(argv, "-device");
	argv_add(argv, "vhost-user-vsock-%s,chardev=vsock%s", machine->bus, vectors(machine, run));
}

static void add_drive(const struct machine *machine, const struct vmm_drive *drive, size_t index,
	struct argv *argv)
{
	char before[128];

	snprintf(before, sizeof(before),
		"driver=raw,node-name=drive%zu,read-only=%s,file.driver=file,file.filename=", index,
		drive->readonly ? "on" : "off");
	add_quoted(argv, "-blockdev", before, drive->path, "");
	argv_add(argv, "-device");
	argv_add(argv, "virtio-blk-%s,drive=drive%zu", machine->bus, index);
}

static void add_devices(const struct vmm_plan *plan, const struct machine *machine,
	const struct qemu_run *run, struct argv *argv)
{
	for (size_t i = 0; i < plan->n_nics; i++)
		add_nic(machine, run, &plan->nics[i], i, argv);
	if (plan->vsock_socket != NULL)
		add_vsock(machine, run, plan->vsock_socket, argv);
	if (plan->share.socket != NULL)
		add_share(machine, run, &plan->share, argv);
	for (size_t i = 0; i < plan->n_drives; i++)
		add_drive(machine, &plan->drives[i], i, argv);
	if (machine->pci)
		add(argv, "-device", "pvpanic");
	else
		add(argv, "-global", "virtio-mmio.force-legacy=false");
}

static void add_machine(const struct vmm_plan *plan, const struct machine *machine,
	const struct qemu_run *run, struct argv *argv)
{
	argv_add(argv, "-machine");
	argv_add(argv, "%s,memory-backend=ram", machine->name);
	/* Of its own accord it takes an eighth of the machine's memory for translated code. */
	add(argv, "-accel", run->kvm ? "kvm" : "tcg,tb-size=64");
	add(argv, "-cpu", run->kvm ? "host" : "max");
	argv_add(argv, "-smp");
	argv_add(argv, "%u", plan->n_cpus);
	argv_add(argv, "-m");
	argv_add(argv, "%uM", plan->memory_mib);
	argv_add(argv, "-object");
	argv_add(argv, "memory-backend-memfd,id=ram,size=%uM,share=on", plan->memory_mib);
}

static void add_cmdline(const struct vmm_plan *plan, const struct machine *machine,
	const struct qemu_run *run, struct argv *argv)
{
	const char *cmdline = plan->cmdline != NULL ? plan->cmdline : "";
	char clock[64] = "";

	if (!machine->pci && !run->kvm)
		snprintf(clock, sizeof(clock), " tsc_early_khz=%u tsc=reliable", run->tsc_khz);
	argv_add(argv, "-append");
	/* A microvm has nothing else to reset it with than a triple fault. */
	argv_add(argv, "%s%sconsole=ttyS0%s%s", cmdline, cmdline[0] != '\0' ? " " : "",
		machine->pci ? "" : " reboot=t", clock);
}

static void add_kernel(const struct vmm_plan *plan, const struct machine *machine,
	const struct qemu_run *run, struct argv *argv)
{
	add(argv, "-kernel", plan->kernel);
	if (plan->initrd != NULL)
		add(argv, "-initrd", plan->initrd);
	add_cmdline(plan, machine, run, argv);
}

/* The guest's console goes to a descriptor that it gets, and so does its monitor. */
static void add_channels(const struct vmm_plan *plan, const struct qemu_run *run, struct argv *argv)
{
	argv_add(argv, "-add-fd");
	argv_add(argv, "fd=%d,set=1", plan->console);
	add(argv, "-chardev", "file,id=console,path=/dev/fdset/1,append=on");
	add(argv, "-serial", "chardev:console");
	argv_add(argv, "-chardev");
	argv_add(argv, "socket,id=monitor,fd=%d", run->monitor);
	add(argv, "-mon", "chardev=monitor,mode=control");
}

int qemu_args(
	const struct vmm_plan *plan, const struct qemu_run *run, struct argv *argv, struct err *err)
{
	const struct machine *machine = find_machine(plan->machine);

	if (machine == NULL)
		return err_set(err, -EINVAL, "there is no machine \"%s\" (q35, microvm)",
			plan->machine != NULL ? plan->machine : "");
	argv_add(argv, "%s", run->program);
	add_quoted(argv, "-name", "guest=", plan->name, "");
	argv_add(argv, "-nodefaults");
	argv_add(argv, "-no-user-config");
	argv_add(argv, "-no-reboot");
	argv_add(argv, "-S");
	add(argv, "-display", "none");
	add(argv, "-sandbox", SANDBOX);
	add_machine(plan, machine, run, argv);
	add_kernel(plan, machine, run, argv);
	add_channels(plan, run, argv);
	add_devices(plan, machine, run, argv);
	if (argv_check(argv) < 0)
		return err_errno(err, ENOMEM, "cannot start QEMU");
	return 0;
}
