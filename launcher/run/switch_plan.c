/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/run/switch_plan.h"

#include <string.h>

#include "launcher/pod/host_link.h"
#include "lib/fnv1a.h"

bool switch_plan_is_guests(const struct pod_network *net, const struct pod_address *address)
{
	return address->ifindex == net->pod_ifindex && !ip_addr_is_link_local(&address->local);
}

/* Addresses that the guest is to be reached by: those that pod_machine.c gives it. */
static json_t *guest_addresses(const struct switch_plan *plan)
{
	json_t *list = json_array();
	char text[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < plan->net->n_addresses; i++) {
		const struct pod_address *a = &plan->net->addresses[i];

		if (switch_plan_is_guests(plan->net, a))
			json_array_append_new(list, json_string(ip_addr_format(&a->local, text)));
	}
	return list;
}

static json_t *service_addresses(const struct guard_plan *guard)
{
	json_t *list = json_array();
	char text[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < guard->n_services; i++)
		json_array_append_new(list, json_string(ip_addr_format(&guard->service[i], text)));
	return list;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

/* Those from 61000 come with any that are given: one is enough to have them. */
static const char *kernel_ports(const struct guard_plan *guard, char *text)
{
	return guard->kernel_ports.n > 0 ? l4_ports_format(&guard->kernel_ports, text)
					 : "tcp/61000";
}

static json_t *uplink(const struct switch_plan *plan, const struct pod_interface *pod)
{
	json_t *port = json_object();
	char ports[L4_PORTS_TEXT_MAX];

	set_text(port, "name", "uplink");
	set_text(port, "kind", "packet");
	set_text(port, "interface", pod->name);
	set_text(port, "role", "uplink");
	set_text(port, "mac-mode",
		plan->settings->mac_mode == VM_MAC_ADOPT ? "adopt" : "substitute");
	if (plan->settings->guard == VM_GUARD_SHARED)
		set_text(port, "kernel-ports", kernel_ports(plan->guard, ports));
	return port;
}

/* A guest that is told nothing by its port: by its VMM and the agent. */
static void set_tap(json_t *port, const struct switch_plan *plan)
{
	set_text(port, "kind", "packet");
	set_text(port, "interface", plan->tap);
}

static void set_vhost_user(
	json_t *port, const struct switch_plan *plan, const struct pod_interface *pod)
{
	set_text(port, "kind", "vhost-user");
	set_text(port, "socket", plan->paths->switch_port);
	json_object_set_new(port, "mtu", json_integer(pod->mtu));
}

json_t *switch_plan_guest(const struct switch_plan *plan)
{
	const struct pod_interface *pod = pod_network_interface(plan->net, plan->net->pod_ifindex);
	json_t *port = json_object();
	char mac[MAC_TEXT_MAX];

	set_text(port, "name", plan->settings->name);
	set_text(port, "role", "guest");
	set_text(port, "mac", mac_format(&plan->guest_mac, mac));
	if (plan->tap != NULL)
		set_tap(port, plan);
	else
		set_vhost_user(port, plan, pod);
	json_object_set_new(port, "addresses", guest_addresses(plan));
	set_text(port, "anti-spoof", plan->settings->anti_spoof ? "on" : "off");
	if (plan->guard->host_port)
		json_object_set_new(port, "services", service_addresses(plan->guard));
	return port;
}

static json_t *host(const struct switch_plan *plan)
{
	struct mac mac = host_link_mac(&plan->guard->identity);
	json_t *port = json_object();
	char identity[IP_ADDR_TEXT_MAX], mac_text[MAC_TEXT_MAX];

	set_text(port, "name", "host");
	set_text(port, "kind", "packet");
	set_text(port, "interface", HOST_LINK_FAR_NAME);
	set_text(port, "role", "host");
	set_text(port, "mac", mac_format(&mac, mac_text));
	json_object_set_new(port, "addresses",
		json_pack("[s]", ip_addr_format(&plan->guard->identity, identity)));
	return port;
}

json_t *switch_plan_encode(const struct switch_plan *plan)
{
	const struct pod_interface *pod = pod_network_interface(plan->net, plan->net->pod_ifindex);
	json_t *root = json_object();
	json_t *ports = json_array();

	set_text(root, "control-socket", plan->paths->switch_control);
	json_array_append_new(ports, uplink(plan, pod));
	json_array_append_new(ports, switch_plan_guest(plan));
	if (plan->guard->host_port)
		json_array_append_new(ports, host(plan));
	json_object_set_new(root, "ports", ports);
	return root;
}

struct mac switch_plan_guest_mac(const struct vm_settings *settings, const struct mac *pod_mac)
{
	uint32_t hash = fnv1a_text(settings->name);

	if (settings->mac_mode == VM_MAC_ADOPT)
		return *pod_mac;
	if (!mac_is_zero(&settings->mac))
		return settings->mac;
	return (struct mac) { { 0xaa, 0xfc, 0x00, (uint8_t)(hash >> 16), (uint8_t)(hash >> 8),
		(uint8_t)hash } };
}
