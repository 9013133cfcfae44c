/* SPDX-License-Identifier: BSD-3-Clause */

/* What the CNI gave the pod, as far as a guest depends on it. */

#include <errno.h>
#include <linux/neighbour.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <netlink/netlink.h>

#include "launcher/pod/guard_check.h"
#include "launcher/pod/host_link_check.h"
#include "launcher/pod/pod_network.h"
#include "launcher/pod/pod_words.h"
#include "launcher/pod/rtnl_socket.h"
#include "launcher/pod/tap_link.h"
#include "launcher/run/datapath_choice.h"
#include "launcher/run/dns_relay.h"
#include "launcher/doctor/doctor.h"
#include "launcher/process/program.h"
#include "launcher/run/switch_plan.h"

#define IPV6_MTU_MIN 1280 /* RFC 8200, section 5 */
#define LINE_SIZE    256

struct line {
	char text[LINE_SIZE];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->text + line->len, sizeof(line->text) - line->len, format, args);
	va_end(args);
	if (n > 0)
		line->len += (size_t)n;
	if (line->len >= sizeof(line->text))
		line->len = sizeof(line->text) - 1;
}

/* --- interface ------------------------------------------------------------------------------- */

static void examine_address(struct doctor *d, const struct pod_network *net)
{
	const struct pod_interface *pod = pod_network_interface(net, net->pod_ifindex);
	char address[IP_ADDR_TEXT_MAX];
	struct line line = { "" };

	add(&line, "%s%s%s", pod->name, pod->kind[0] != '\0' ? ", " : "", pod->kind);
	for (size_t i = 0; i < net->n_addresses; i++)
		if (switch_plan_is_guests(net, &net->addresses[i]))
			add(&line, ", %s", ip_addr_format(&net->addresses[i].local, address));
	switch (pod_network_address_state(net)) {
	case POD_ADDRESS_READY:
		doctor_note(d, DOCTOR_OK, "pod-interface", NULL, "%s", line.text);
		return;
	case POD_ADDRESS_TENTATIVE:
		doctor_note(d, DOCTOR_WARN, "pod-interface", "run waits for it (address-wait)",
			"%s: duplicate address detection goes on, or has failed", line.text);
		return;
	case POD_ADDRESS_NONE:
		doctor_note(d, DOCTOR_WARN, "pod-interface",
			"run waits for one (address-wait), then the guest has to find its own",
			"%s: has no address", line.text);
		return;
	}
}

/* Whether the pod's kernel would answer there. */
static void note_address(struct doctor *d, const struct pod_network *net)
{
	const struct pod_interface *pod = pod_network_interface(net, net->pod_ifindex);
	struct guard_interface found;

	if (guard_look_at_interface(pod->name, &found, NULL) == 0)
		d->has_address = found.has_address;
}

static void examine_mac(struct doctor *d, const struct pod_interface *pod)
{
	bool adopt = d->settings->mac_mode == VM_MAC_ADOPT;
	char mac[MAC_TEXT_MAX];

	if (!pod->has_mac)
		doctor_note(d, DOCTOR_FAIL, "mac", "choose another (--interface)",
			"%s is not an Ethernet interface", pod->name);
	else if (!mac_is_zero(&pod->mac))
		doctor_note(d, DOCTOR_OK, "mac", NULL, "%s%s", mac_format(&pod->mac, mac),
			adopt ? ", which the guest adopts" : "; the guest has one of its own");
	else
		doctor_note(d, adopt ? DOCTOR_FAIL : DOCTOR_OK, "mac",
			adopt ? "set mac-mode to substitute" : NULL,
			"%s has none, as netkit interfaces%s", pod->name,
			adopt ? ": there is nothing to adopt" : "; the guest has one of its own");
}

static bool has_ipv6(const struct pod_network *net)
{
	for (size_t i = 0; i < net->n_addresses; i++)
		if (switch_plan_is_guests(net, &net->addresses[i]) &&
			net->addresses[i].family == AF_INET6)
			return true;
	return false;
}

static void examine_mtu(struct doctor *d, const struct pod_network *net)
{
	const struct pod_interface *pod = pod_network_interface(net, net->pod_ifindex);

	if (pod->mtu < IPV6_MTU_MIN && has_ipv6(net))
		doctor_note(d, DOCTOR_WARN, "mtu", "raise it, or do without IPv6",
			"%u, of which IPv6 takes %d", pod->mtu, IPV6_MTU_MIN);
	else
		doctor_note(d, DOCTOR_OK, "mtu", NULL, "%u", pod->mtu);
}

/* --- gateways -------------------------------------------------------------------------------- */

static void add_neighbour(
	struct line *line, const struct pod_network *net, const struct ip_addr *gateway)
{
	for (size_t i = 0; i < net->n_neighbours; i++) {
		const struct pod_neighbour *n = &net->neighbours[i];
		char mac[MAC_TEXT_MAX];

		if (n->ifindex != net->pod_ifindex || !ip_addr_equal(&n->dst, gateway) ||
			!n->has_mac)
			continue;
		for (const struct setting_word *w = pod_neighbour_states; w->name != NULL; w++)
			if ((n->state & w->value) != 0)
				add(line, " %s", w->name);
		add(line, " %s", mac_format(&n->mac, mac));
		return;
	}
	add(line, " is not resolved yet, the switch asks for it");
}

static void add_gateways(
	struct line *line, const struct pod_network *net, const struct pod_route *route)
{
	char gateway[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < route->n_nexthops; i++) {
		const struct pod_nexthop *hop = &route->nexthops[i];

		if (hop->ifindex != net->pod_ifindex)
			continue;
		add(line, "%s", line->len > 0 ? "; " : "");
		if (ip_addr_is_unspecified(&hop->gateway)) {
			add(line, "everything is on the link");
			continue;
		}
		add(line, "%s", ip_addr_format(&hop->gateway, gateway));
		add_neighbour(line, net, &hop->gateway);
	}
}

static void examine_gateways(struct doctor *d, const struct pod_network *net)
{
	struct line line = { "" };

	for (size_t i = 0; i < net->n_routes; i++) {
		const struct pod_route *route = &net->routes[i];

		if (route->dst.len == 0 && route->table == RT_TABLE_MAIN)
			add_gateways(&line, net, route);
	}
	if (line.len > 0)
		doctor_note(d, DOCTOR_OK, "gateway", NULL, "%s", line.text);
	else
		doctor_note(d, DOCTOR_WARN, "gateway",
			"without one the guest reaches what its other routes lead to",
			"there is no default route by the pod's interface");
}

/* --- names ----------------------------------------------------------------------------------- */

static void add_nameservers(struct line *line, const struct resolv_conf *conf)
{
	char text[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < conf->n_nameservers; i++)
		add(line, "%s%s", i > 0 ? ", " : "",
			ip_addr_format(&conf->nameservers[i].addr, text));
}

static void examine_relay(struct doctor *d, const char *nameservers)
{
	char program[PATH_MAX];
	struct err err = { "" };

	if (d->settings->dns == VM_DNS_DIRECT)
		doctor_note(d, DOCTOR_WARN, "dns", "set dns to auto, which relays what is asked",
			"%s: not all of them can be reached by the guest (dns direct)",
			nameservers);
	else if (program_find(DNS_RELAY_PROGRAM, program, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "dns",
			"install dnsmasq-base, or set dns to direct to go without",
			"%s: what is on the pod's loopback takes a relay: %s", nameservers,
			err.text);
	else
		doctor_note(d, DOCTOR_OK, "dns", NULL, "%s, relayed by %s", nameservers, program);
}

static void examine_names(struct doctor *d, const struct resolv_conf *conf)
{
	struct line line = { "" };

	add_nameservers(&line, conf);
	d->has_relay = d->settings->dns == VM_DNS_AUTO && dns_relay_is_needed(conf);
	if (dns_relay_is_needed(conf))
		examine_relay(d, line.text);
	else if (conf->n_nameservers > 0)
		doctor_note(d, DOCTOR_OK, "dns", NULL, "%s", line.text);
	else
		doctor_note(d, DOCTOR_WARN, "dns", "give the pod one if it is to resolve names",
			"the pod names no nameserver");
}

/* --- host port ------------------------------------------------------------------------------- */

static void examine_tap(struct doctor *d)
{
	struct err err = { "" };

	if (tap_link_check(&err) < 0)
		doctor_note(d, DOCTOR_FAIL, "tap",
			"give the container the device /dev/net/tun, or set vmm and datapath to "
			"those that need none",
			"%s", err.text);
	else
		doctor_note(d, DOCTOR_OK, "tap", NULL, "/dev/net/tun can be opened");
}

/* What `datapath: tap` takes of the pod's interface. */
static void examine_redirect(struct doctor *d, const struct pod_network *net)
{
	struct err err = { "" };

	if (!datapath_is_tap(d->settings))
		return;
	if (datapath_check_pod(d->settings, net, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "datapath", NULL, "%s", err.text);
	else
		doctor_note(d, DOCTOR_OK, "datapath", NULL,
			"%s is redirected to a TAP, by the node's kernel (5.12 or later, "
			"nft_fwd_netdev)",
			pod_network_interface(net, net->pod_ifindex)->name);
}

static void examine_host_port(struct doctor *d)
{
	struct nl_sock *sock;
	struct ip_addr service;
	struct host_link link = { .service = &service, .n_services = 1 };
	struct err err = { "" };
	int ret = rtnl_socket_open(&sock);

	(void)ip_addr_parse(HOST_LINK_IDENTITY, &link.identity);
	(void)ip_addr_parse(HOST_LINK_SERVICE, &service);
	if (ret < 0)
		ret = err_set(&err, -EIO, "netlink: %s", nl_geterror(ret));
	else
		ret = host_link_check(sock, &link, &err);
	nl_socket_free(sock);
	if (ret < 0)
		doctor_note(d, DOCTOR_FAIL, "host-port", NULL, "%s", err.text);
	else
		doctor_note(d, DOCTOR_OK, "host-port", NULL,
			HOST_LINK_IDENTITY " and " HOST_LINK_SERVICE " are free");
}

void doctor_examine_network(struct doctor *d)
{
	const char *set = d->settings->interface;
	struct err err = { "" };
	struct pod_network net;

	if (pod_network_await(&net, set[0] != '\0' ? set : NULL, 0, &err) < 0) {
		doctor_note(d, DOCTOR_FAIL, "pod-interface", NULL, "%s", err.text);
		return;
	}
	note_address(d, &net);
	examine_address(d, &net);
	examine_mac(d, pod_network_interface(&net, net.pod_ifindex));
	examine_mtu(d, &net);
	examine_gateways(d, &net);
	examine_names(d, &net.resolv_conf);
	examine_redirect(d, &net);
	pod_network_free(&net);
	if (doctor_needs_host_port(d))
		examine_host_port(d);
	if (doctor_needs_tap(d))
		examine_tap(d);
}
