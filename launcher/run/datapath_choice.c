/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/datapath_choice.h"

#include <errno.h>

#include "launcher/pod/pod_network.h"
#include "launcher/run/dns_relay.h"

bool datapath_is_tap(const struct vm_settings *settings)
{
	return settings->datapath == VM_DATAPATH_TAP;
}

static int refuse(const char *what, const char *instead, struct err *err)
{
	return err_set(err, -ENOTSUP,
		"%s takes the switch, which datapath tap goes without: %s, or set datapath to "
		"vhost-user",
		what, instead);
}

static int check_volumes(const struct volumes *volumes, struct err *err)
{
	for (size_t i = 0; i < volumes->n; i++) {
		const struct volume *v = &volumes->item[i];

		if (v->source != NULL && v->nfs && !v->optional)
			return err_set(err, -ENOTSUP,
				"volume %s:%s: NFS takes the switch, which datapath tap goes "
				"without: give it by virtio-fs (%s:%s), or set datapath to "
				"vhost-user",
				v->source, v->destination, v->source, v->destination);
	}
	return 0;
}

int datapath_check(
	const struct vm_settings *settings, const struct volumes *volumes, struct err *err)
{
	const struct {
		bool asked;
		const char *what, *instead;
	} refused[] = {
		{ settings->mac_mode == VM_MAC_SUBSTITUTE, "mac-mode: substitute",
			"set mac-mode to adopt" },
		{ settings->guard == VM_GUARD_OFF, "guard: off", "set guard to exclusive" },
		{ settings->guard == VM_GUARD_SHARED, "guard: shared", "set guard to exclusive" },
		{ settings->kernel_ports[0] != '\0', "kernel-ports", "leave it out" },
		{ settings->outside_guard, "outside-guard", "leave it out" },
		{ settings->switch_socket[0] != '\0', "switch-socket", "leave it out" },
		{ settings->host_port, "host-port", "leave it out" },
		{ settings->root == VM_ROOT_NFS, "root: nfs", "set root to auto" },
	};

	if (!datapath_is_tap(settings))
		return 0;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (refused[i].asked)
			return refuse(refused[i].what, refused[i].instead, err);
	return check_volumes(volumes, err);
}

int datapath_check_pod(
	const struct vm_settings *settings, const struct pod_network *net, struct err *err)
{
	const struct pod_interface *pod = pod_network_interface(net, net->pod_ifindex);

	if (!datapath_is_tap(settings))
		return 0;
	if (mac_is_zero(&pod->mac))
		return err_set(err, -ENOTSUP,
			"datapath: tap: %s has no MAC address that the guest could have: set "
			"datapath to vhost-user, and mac-mode to substitute",
			pod->name);
	if (settings->dns != VM_DNS_AUTO || !dns_relay_is_needed(&net->resolv_conf))
		return 0;
	return refuse("dns: auto: the relay for a resolver on the pod's loopback",
		"set dns to direct", err);
}
