/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/vm_tap.h"

#include <string.h>

#include "launcher/pod/tap_link.h"
#include "launcher/process/remove_link.h"
#include "launcher/run/datapath_choice.h"
#include "launcher/run/vm.h"
#include "lib/cleanup.h"
#include "lib/log.h"

static bool is_needed(const struct vm *vm)
{
	return !(vm->kind->can & VMM_CAN_VHOST_NET) || datapath_is_tap(vm->settings);
}

int vm_tap_make(struct vm *vm, struct err *err)
{
	const struct pod_interface *pod = pod_network_interface(&vm->net, vm->net.pod_ifindex);
	cleanup_close int fd = -1;
	char name[IF_NAMESIZE];
	int ret;

	if (!is_needed(vm))
		return 0;
	tap_link_name(vm->settings->name, name);
	fd = tap_link_open(name, pod->mtu, err);
	ret = fd < 0 ? fd : keeper_add_link(vm->keeper, name, err);
	if (ret == 0)
		ret = tap_link_keep(fd, err);
	if (ret == 0)
		strcpy(vm->tap, name);
	return ret;
}

void vm_tap_stop(const struct vm *vm)
{
	if (vm->tap[0] != '\0' && remove_link(vm->tap) < 0)
		log_error("tap", log_str("left", vm->tap));
}
