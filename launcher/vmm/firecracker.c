/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Firecracker, by its REST interface (its description: tests/data/api). Each device is a request,
 * the last one starts the guest. It has no vhost-user and no virtio-fs: its network is a TAP, its
 * files are drives; its vsock is its own. It boots ELF kernels only, and ends when the guest resets
 * by the keyboard controller: that is what a guest's power-off has to be, and its panic is.
 */

#include "launcher/vmm/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launcher/vmm/kvm.h"
#include "launcher/vmm/rest_vmm.h"
#include "launcher/vmm/vmm_check.h"
#include "lib/cleanup.h"

#define PROGRAM "firecracker"

static void args(const char *program, const char *socket, struct argv *argv)
{
	argv_add(argv, "%s", program);
	argv_add(argv, "--api-sock");
	argv_add(argv, "%s", socket);
}

/* What the agent is told (guest-agent/power.h), and the kernel. */
#define CMDLINE "console=ttyS0 reboot=k panic=1 sluice.poweroff=reset"

/* Its console is its stdout. */
static json_t *boot_source(const struct vmm_plan *plan)
{
	return json_pack("{s:s, s:o, s:s*}", "kernel_image_path", plan->kernel, "boot_args",
		rest_vmm_cmdline(plan, CMDLINE), "initrd_path", plan->initrd);
}

static void add_drives(const struct vmm_plan *plan, struct rest_steps *out)
{
	char id[16], path[32];

	for (size_t i = 0; i < plan->n_drives; i++) {
		snprintf(id, sizeof(id), "drive%u", (unsigned)i);
		snprintf(path, sizeof(path), "/drives/%s", id);
		rest_steps_add(out, path,
			json_pack("{s:s, s:s, s:b, s:b}", "drive_id", id, "path_on_host",
				plan->drives[i].path, "is_root_device", 0, "is_read_only",
				plan->drives[i].readonly));
	}
}

static void add_nics(const struct vmm_plan *plan, struct rest_steps *out)
{
	char id[16], path[48], mac[MAC_TEXT_MAX];

	for (size_t i = 0; i < plan->n_nics; i++) {
		snprintf(id, sizeof(id), "eth%u", (unsigned)i);
		snprintf(path, sizeof(path), "/network-interfaces/%s", id);
		rest_steps_add(out, path,
			json_pack("{s:s, s:s, s:s}", "iface_id", id, "host_dev_name",
				plan->nics[i].tap, "guest_mac",
				mac_format(&plan->nics[i].mac, mac)));
	}
}

static void steps(const struct vmm_plan *plan, struct rest_steps *out)
{
	rest_steps_add(out, "/machine-config",
		json_pack("{s:i, s:i}", "vcpu_count", plan->n_cpus, "mem_size_mib",
			plan->memory_mib));
	rest_steps_add(out, "/boot-source", boot_source(plan));
	add_drives(plan, out);
	add_nics(plan, out);
	if (plan->vsock_path != NULL)
		rest_steps_add(out, "/vsock",
			json_pack("{s:I, s:s}", "guest_cid", (json_int_t)plan->cid, "uds_path",
				plan->vsock_path));
	rest_steps_add(out, "/actions", json_pack("{s:s}", "action_type", "InstanceStart"));
}

static void powerdown(struct rest_steps *out)
{
	rest_steps_add(out, "/actions", json_pack("{s:s}", "action_type", "SendCtrlAltDel"));
}

static const struct rest_kind firecracker = {
	.title = "Firecracker",
	.usual = PROGRAM,
	.args = args,
	.steps = steps,
	.powerdown = powerdown,
};

static int check_kernel(const char *path, struct err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char magic[4] = "";

	if (fd < 0)
		return err_errno(err, errno, "cannot open the kernel %s", path);
	if (read(fd, magic, sizeof(magic)) != sizeof(magic) || memcmp(magic, "\177ELF", 4) != 0)
		return err_set(err, -ENOEXEC,
			"Firecracker boots ELF kernels only, and %s is none (a distribution's "
			"vmlinuz has to be unpacked)",
			path);
	return 0;
}

/* What it has no device for. */
static int check_devices(const struct vmm_plan *plan, struct err *err)
{
	if (plan->share.socket != NULL)
		return err_set(err, -ENOTSUP, "Firecracker has no virtio-fs");
	if (plan->vsock_socket != NULL)
		return err_set(err, -ENOTSUP, "Firecracker has a vsock of its own only");
	for (size_t i = 0; i < plan->n_nics; i++)
		if (plan->nics[i].tap == NULL)
			return err_set(err, -ENOTSUP, "Firecracker's network needs a TAP");
	return 0;
}

static int check(const struct vmm_plan *plan, struct err *err)
{
	int ret;

	if (plan->kernel == NULL || plan->kernel[0] == '\0')
		return err_set(err, -EINVAL, "Firecracker needs a kernel");
	ret = check_devices(plan, err);
	if (ret == 0)
		ret = vmm_check_files(plan, PROGRAM, err);
	if (ret == 0)
		ret = check_kernel(plan->kernel, err);
	return ret == 0 ? kvm_usable(err) : ret;
}

static int start(struct event_base *loop, struct keeper *keeper, const struct vmm_plan *plan,
	const struct vmm_owner *owner, struct vmm **out, struct err *err)
{
	int ret = check_devices(plan, err);

	if (ret < 0)
		return ret;
	return rest_vmm_start(&vmm_firecracker, &firecracker, loop, keeper, plan, owner, out, err);
}

const struct vmm_kind vmm_firecracker = {
	.name = "firecracker",
	/* Its TAP is there while sluiced is not. */
	.can = VMM_CAN_DRIVE | VMM_CAN_RECONNECT | VMM_CAN_POWERDOWN | VMM_IS_BOUNDARY |
	       VMM_NEEDS_ELF | VMM_NEEDS_KVM,
	.drive_device = "/dev/vda",
	.check = check,
	.start = start,
	.powerdown = rest_vmm_powerdown,
	.kill = rest_vmm_kill,
	.state = rest_vmm_state,
	.pid = rest_vmm_pid,
};
