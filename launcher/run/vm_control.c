/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/vm_control.h"

#include <errno.h>
#include <unistd.h>

#include "launcher/run/datapath_choice.h"
#include "launcher/run/machine.h"
#include "launcher/run/switch_plan.h"
#include "launcher/run/vm_halt.h"
#include "launcher/run/vm_ports.h"
#include "launcher/run/vm_switch.h"

#define GRACE_DEFAULT_S 10
#define GRACE_MAX_S     86400

static const char *state_of(const struct vm *vm)
{
	if (vm->ended || vm->halt != NULL)
		return "stopping";
	return vm->started ? "running" : "starting";
}

static json_t *child_object(const struct service *s)
{
	return json_pack("{s:i}", "pid", s->child != NULL ? (int)child_pid(s->child) : 0);
}

static json_t *vmm_object(const struct vm *vm)
{
	bool runs = vm->vmm != NULL;

	return json_pack("{s:s, s:i, s:s}", "kind", vm->kind != NULL ? vm->kind->name : "", "pid",
		runs ? (int)vm->kind->pid(vm->vmm) : 0, "state",
		runs ? vm->kind->state(vm->vmm) : "none");
}

static json_t *guest_object(const struct vm *vm)
{
	const struct pod_interface *pod = pod_network_interface(&vm->net, vm->net.pod_ifindex);
	char mac_text[MAC_TEXT_MAX], addr_text[IP_ADDR_TEXT_MAX];
	json_t *addresses = json_array();
	struct mac mac;

	for (size_t i = 0; i < vm->net.n_addresses; i++)
		if (switch_plan_is_guests(&vm->net, &vm->net.addresses[i]))
			json_array_append_new(addresses,
				json_string(
					ip_addr_format(&vm->net.addresses[i].local, addr_text)));
	if (pod == NULL)
		return json_pack("{s:o}", "addresses", addresses);
	mac = switch_plan_guest_mac(vm->settings, &pod->mac);
	return json_pack("{s:s, s:s, s:o}", "ifname", pod->name, "mac", mac_format(&mac, mac_text),
		"addresses", addresses);
}

static json_t *steps_array(const struct vm *vm)
{
	json_t *steps = json_array();

	for (unsigned i = 0; i < vm->n_steps; i++)
		json_array_append_new(steps,
			json_pack("{s:s, s:f}", "name", vm->steps[i].name, "ms", vm->steps[i].ms));
	return steps;
}

/* NULL: there is none. */
static json_t *switch_object(const struct vm *vm)
{
	json_t *object;

	if (datapath_is_tap(vm->settings))
		return NULL;
	object = child_object(&vm->sluiced);
	json_object_set_new(object, "starts", json_integer(vm->n_switch_starts));
	json_object_set_new(object, "socket", json_string(vm_switch_control(vm)));
	return object;
}

static json_t *status(void *ctx, const json_t *params, struct err *err)
{
	const struct vm *vm = ctx;

	return json_pack("{s:s, s:i, s:s, s:o, s:s, s:o, s:s, s:o*, s:o, s:o, s:o, s:{s:i}}",
		"name", vm->settings->name, "pid", (int)getpid(), "state", state_of(vm), "vmm",
		vmm_object(vm), "root", machine_root_name(vm->root), "guest", guest_object(vm),
		"datapath", datapath_is_tap(vm->settings) ? "tap" : "vhost-user", "switch",
		switch_object(vm), "vsock", child_object(&vm->vsock), "ports", vm_ports_status(vm),
		"steps", steps_array(vm), "workload", "pid", (int)vm->workload_pid);
}

static json_t *stop(void *ctx, const json_t *params, struct err *err)
{
	const json_t *grace = json_object_get(params, "grace-s");
	json_int_t seconds = grace != NULL ? json_integer_value(grace) : GRACE_DEFAULT_S;

	if ((grace != NULL && !json_is_integer(grace)) || seconds < 0 || seconds > GRACE_MAX_S) {
		(void)err_set(err, -EINVAL, "grace-s: want 0 to %d", GRACE_MAX_S);
		return NULL;
	}
	return vm_halt_begin(ctx, (unsigned)seconds, err) < 0 ? NULL : json_object();
}

static const struct rpc_method methods[] = {
	{ "vm.status", status, false },
	{ "vm.stop", stop, false },
	{ NULL },
};

int vm_control_start(struct vm *vm, struct rpc_server **out, struct err *err)
{
	*out = rpc_server_new(vm->loop, vm->paths.control, methods, vm, err);
	return *out != NULL ? 0 : -EIO;
}
