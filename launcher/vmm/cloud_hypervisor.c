/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Cloud Hypervisor, by its REST interface (its description: tests/data/api). All of a machine is
 * one request. It connects to sluiced again when that was restarted (for a minute it tries to), and
 * has a vsock of its own. Its kernel is an ELF file with a PVH entry, as Linux with CONFIG_PVH is;
 * from v39 on a bzImage would do as well.
 *
 * Unlike the others it boots a guest again that resets itself, as one does that panics: it fails
 * then, as the initrd is gone once the workload has started, and ends.
 */

#include "launcher/vmm/vmm.h"

#include <errno.h>
#include <stdio.h>

#include "launcher/vmm/kvm.h"
#include "launcher/vmm/rest_vmm.h"
#include "launcher/vmm/vmm_check.h"

#define API        "/api/v1/"
#define PROGRAM    "cloud-hypervisor"
#define MIB        (1024 * 1024)
#define QUEUE_SIZE 256

static void args(const char *program, const char *socket, struct argv *argv)
{
	argv_add(argv, "%s", program);
	argv_add(argv, "--api-socket");
	argv_add(argv, "path=%s", socket);
}

/* Its console is its stdout. */
static json_t *payload(const struct vmm_plan *plan)
{
	return json_pack("{s:s, s:o, s:s*}", "kernel", plan->kernel, "cmdline",
		rest_vmm_cmdline(plan, "console=ttyS0 panic=1"), "initramfs", plan->initrd);
}

static json_t *nics(const struct vmm_plan *plan)
{
	json_t *list = json_array();
	char mac[MAC_TEXT_MAX];

	for (size_t i = 0; i < plan->n_nics; i++) {
		const struct vmm_nic *nic = &plan->nics[i];
		json_t *net = json_pack("{s:s, s:i, s:i}", "mac", mac_format(&nic->mac, mac),
			"num_queues", 2, "queue_size", QUEUE_SIZE);

		/* A TAP has its own, which it would set once more, and may not. */
		if (nic->mtu != 0 && nic->socket != NULL)
			json_object_set_new(net, "mtu", json_integer(nic->mtu));
		if (nic->socket != NULL) {
			json_object_set_new(net, "vhost_user", json_true());
			json_object_set_new(net, "vhost_socket", json_string(nic->socket));
			json_object_set_new(net, "vhost_mode", json_string("Client"));
		} else {
			json_object_set_new(net, "tap", json_string(nic->tap));
		}
		json_array_append_new(list, net);
	}
	return list;
}

/* The format is said, or a guest could write another's header into its drive. */
static json_t *disks(const struct vmm_plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_drives; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:b, s:s}", "path", plan->drives[i].path, "readonly",
				      plan->drives[i].readonly, "image_type", "Raw"));
	return list;
}

static json_t *machine(const struct vmm_plan *plan)
{
	json_t *config = json_pack("{s:{s:i, s:i}, s:{s:I, s:b}, s:o, s:o, s:o, s:{s:s}, s:{s:s}}",
		"cpus", "boot_vcpus", plan->n_cpus, "max_vcpus", plan->n_cpus, "memory", "size",
		(json_int_t)plan->memory_mib * MIB, "shared", 1, "payload", payload(plan), "net",
		nics(plan), "disks", disks(plan), "serial", "mode", "Tty", "console", "mode",
		"Off");

	if (plan->share.socket != NULL)
		json_object_set_new(config, "fs",
			json_pack("[{s:s, s:s, s:i, s:i}]", "tag", plan->share.tag, "socket",
				plan->share.socket, "num_queues", 1, "queue_size", 1024));
	if (plan->vsock_path != NULL)
		json_object_set_new(config, "vsock",
			json_pack("{s:I, s:s}", "cid", (json_int_t)plan->cid, "socket",
				plan->vsock_path));
	return config;
}

static void steps(const struct vmm_plan *plan, struct rest_steps *out)
{
	rest_steps_add(out, API "vm.create", machine(plan));
	rest_steps_add_bare(out, API "vm.boot");
}

static void powerdown(struct rest_steps *out)
{
	rest_steps_add_bare(out, API "vm.power-button");
}

static const struct rest_kind cloud_hypervisor = {
	.title = "Cloud Hypervisor",
	.usual = PROGRAM,
	.args = args,
	.steps = steps,
	.powerdown = powerdown,
};

static int check(const struct vmm_plan *plan, struct err *err)
{
	int ret;

	if (plan->kernel == NULL || plan->kernel[0] == '\0')
		return err_set(err, -EINVAL, "Cloud Hypervisor needs a kernel");
	ret = vmm_check_files(plan, PROGRAM, err);
	return ret == 0 ? kvm_usable(err) : ret;
}

static int start(struct event_base *loop, struct keeper *keeper, const struct vmm_plan *plan,
	const struct vmm_owner *owner, struct vmm **out, struct err *err)
{
	return rest_vmm_start(
		&vmm_cloud_hypervisor, &cloud_hypervisor, loop, keeper, plan, owner, out, err);
}

const struct vmm_kind vmm_cloud_hypervisor = {
	.name = "cloud-hypervisor",
	.can = VMM_CAN_VIRTIOFS | VMM_CAN_DRIVE | VMM_CAN_VHOST_NET | VMM_CAN_RECONNECT |
	       VMM_CAN_POWERDOWN | VMM_IS_BOUNDARY | VMM_NEEDS_ELF | VMM_NEEDS_KVM,
	.drive_device = "/dev/vda",
	.check = check,
	.start = start,
	.powerdown = rest_vmm_powerdown,
	.kill = rest_vmm_kill,
	.state = rest_vmm_state,
	.pid = rest_vmm_pid,
};
