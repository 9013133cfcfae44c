/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/vm_tap.h"

#include <errno.h>
#include <string.h>

#include "launcher/pod/guard_check.h"
#include "launcher/pod/guard_holder.h"
#include "launcher/pod/tap_link.h"
#include "launcher/process/remove_link.h"
#include "launcher/run/datapath_choice.h"
#include "launcher/run/vm.h"
#include "lib/cleanup.h"
#include "lib/log.h"

static const struct pod_interface *pod_interface(const struct vm *vm)
{
	return pod_network_interface(&vm->net, vm->net.pod_ifindex);
}

static bool is_needed(const struct vm *vm)
{
	return !(vm->kind->can & VMM_CAN_VHOST_NET) || datapath_is_tap(vm->settings);
}

int vm_tap_make(struct vm *vm, struct err *err)
{
	cleanup_close int fd = -1;
	char name[IF_NAMESIZE];
	int ret;

	if (!is_needed(vm))
		return 0;
	tap_link_name(vm->settings->name, name);
	fd = tap_link_open(name, pod_interface(vm)->mtu, err);
	ret = fd < 0 ? fd : keeper_add_link(vm->keeper, name, err);
	if (ret == 0)
		ret = tap_link_keep(fd, err);
	if (ret == 0)
		strcpy(vm->tap, name);
	return ret;
}

/* A kernel that cannot be asked has no guard either. */
static int check_guard(struct err *err)
{
	char who[GUARD_HOLDER_TEXT_MAX];
	struct guard_holder holder;

	if (guard_find_holder(&holder, NULL) < 0 || !holder.owned)
		return 0;
	return err_set(
		err, -EBUSY, "there is a guard, held by %s", guard_holder_format(&holder, who));
}

static int check(const struct vm *vm, struct err *err)
{
	const struct pod_interface *pod = pod_interface(vm);
	int ret = vm->settings->lab ? 0 : guard_check_namespace(err);

	if (ret == 0)
		ret = check_guard(err);
	if (ret == 0)
		ret = datapath_check_names(vm->settings, &vm->net.resolv_conf, err);
	if (ret == 0 && mac_is_zero(&pod->mac))
		ret = err_set(err, -ENOTSUP,
			"datapath: tap: %s has no MAC address that the guest could have: set "
			"datapath to vhost-user, and mac-mode to substitute",
			pod->name);
	return ret < 0 ? ret : tap_redirect_check(pod->name, vm->tap, err);
}

int vm_tap_redirect(struct vm *vm, struct err *err)
{
	const char *name = pod_interface(vm)->name;
	int ret = check(vm, err);

	if (ret == 0)
		ret = keeper_add_ingress(vm->keeper, name, err);
	if (ret == 0)
		ret = tap_redirect_set(&vm->redirect, name, vm->tap, err);
	vm->has_redirect = ret == 0;
	if (ret == 0 && vm->settings->anti_spoof)
		log_warn("no-anti-spoof", log_str("datapath", "tap"),
			log_str("reason", "there is no switch to hold the guest to its addresses"));
	return ret;
}

int vm_tap_keep_up(struct vm *vm, struct err *err)
{
	return vm->has_redirect ? tap_redirect_keep_up(&vm->redirect, err) : 0;
}

void vm_tap_stop(struct vm *vm)
{
	struct err err = { "" };

	if (vm->has_redirect && tap_redirect_remove(&vm->redirect, &err) < 0)
		log_error("tap", log_str("reason", err.text));
	vm->has_redirect = false;
	if (vm->tap[0] != '\0' && remove_link(vm->tap) < 0)
		log_error("tap", log_str("left", vm->tap));
}
