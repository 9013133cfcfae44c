/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/pod_machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>

#include "launcher/pod/host_link.h"

/* Of the routes that the kernel adds with an address. */
#define PREFIX_METRIC_V6 256

/* --- routes that come with an address -------------------------------------------------------- */

static struct pod_prefix network_of(const struct pod_address *address)
{
	const struct ip_addr *of =
		ip_addr_is_unspecified(&address->peer) ? &address->local : &address->peer;
	struct pod_prefix prefix = { *of, address->prefix_len };
	unsigned n_bits = address->prefix_len + (address->family == AF_INET ? 96 : 0);

	for (unsigned bit = n_bits; bit < 128; bit++)
		prefix.addr.byte[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return prefix;
}

/* fib_add_ifaddr() and inet6_addr_add() of the kernel. */
static bool brings_route(const struct pod_address *address)
{
	if (address->flags & IFA_F_NOPREFIXROUTE)
		return false;
	if (address->family == AF_INET6)
		return true;
	return !(address->flags & IFA_F_SECONDARY) &&
	       (address->prefix_len < 32 || !ip_addr_is_unspecified(&address->peer));
}

static bool has_metrics(const struct pod_route *route)
{
	for (int i = 0; i <= RTAX_MAX; i++)
		if (route->metrics[i] != 0)
			return true;
	return false;
}

static bool comes_with(const struct pod_route *route, const struct pod_address *address)
{
	struct pod_prefix network = network_of(address);

	if (route->protocol != RTPROT_KERNEL || route->family != address->family ||
		route->type != RTN_UNICAST || route->table != RT_TABLE_MAIN ||
		route->n_nexthops != 1 || has_metrics(route))
		return false;
	if (route->nexthops[0].ifindex != address->ifindex ||
		!ip_addr_is_unspecified(&route->nexthops[0].gateway))
		return false;
	if (route->dst.len != network.len ||
		(network.len != 0 && !ip_addr_equal(&route->dst.addr, &network.addr)))
		return false;
	if (route->family == AF_INET6)
		return route->metric == PREFIX_METRIC_V6;
	return route->metric == 0 && ip_addr_equal(&route->prefsrc, &address->local);
}

static bool is_derived(const struct pod_network *pod, const struct pod_route *route)
{
	for (size_t i = 0; i < pod->n_addresses; i++)
		if (pod->addresses[i].ifindex == pod->pod_ifindex &&
			brings_route(&pod->addresses[i]) && comes_with(route, &pod->addresses[i]))
			return true;
	return false;
}

static bool lacks_route(const struct pod_network *pod, const struct pod_address *address)
{
	if (!brings_route(address))
		return (address->flags & IFA_F_NOPREFIXROUTE) != 0;
	for (size_t i = 0; i < pod->n_routes; i++)
		if (comes_with(&pod->routes[i], address))
			return false;
	return true;
}

/* --- what the guest gets --------------------------------------------------------------------- */

/* An optimistic address (RFC 4429) may be used while it is still being verified. */
static bool is_wanted_address(const struct pod_network *pod, const struct pod_address *address)
{
	if (address->ifindex != pod->pod_ifindex || (address->flags & IFA_F_DADFAILED) != 0)
		return false;
	if ((address->flags & IFA_F_TENTATIVE) != 0 && (address->flags & IFA_F_OPTIMISTIC) == 0)
		return false;
	return !ip_addr_is_link_local(&address->local);
}

static void add_address(
	struct machine_net *net, const struct pod_network *pod, const struct pod_address *from)
{
	struct machine_addr *addr = &net->addrs[net->n_addrs++];

	*addr = (struct machine_addr) {
		.family = from->family,
		.local = from->local,
		.prefix_len = from->prefix_len,
		.peer = from->peer,
		.broadcast = from->broadcast,
		.scope = from->scope,
		.no_prefix_route = lacks_route(pod, from),
	};
	memcpy(addr->dev, net->nics[0].name, sizeof(addr->dev));
}

static bool leads_nowhere(const struct pod_route *route)
{
	return route->type == RTN_BLACKHOLE || route->type == RTN_UNREACHABLE ||
	       route->type == RTN_PROHIBIT || route->type == RTN_THROW;
}

static size_t count_hops(const struct pod_network *pod, const struct pod_route *route)
{
	size_t n = 0;

	for (size_t i = 0; i < route->n_nexthops; i++)
		n += route->nexthops[i].ifindex == pod->pod_ifindex;
	return n;
}

static bool is_wanted_route(const struct pod_network *pod, const struct pod_route *route)
{
	if (route->table == RT_TABLE_LOCAL || is_derived(pod, route))
		return false;
	return leads_nowhere(route) || count_hops(pod, route) > 0;
}

static struct machine_prefix prefix_of(const struct pod_prefix *from)
{
	struct machine_prefix prefix = { .len = from->len };

	if (from->len != 0)
		prefix.addr = from->addr;
	return prefix;
}

static int add_hops(struct machine_net *net, struct machine_route *route,
	const struct pod_network *pod, const struct pod_route *from)
{
	size_t n = leads_nowhere(from) ? 0 : count_hops(pod, from);

	if (n == 0)
		return 0;
	route->nexthops = calloc(n, sizeof(*route->nexthops));
	if (route->nexthops == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_nexthops; i++) {
		const struct pod_nexthop *hop = &from->nexthops[i];
		struct machine_nexthop *to = &route->nexthops[route->n_nexthops];

		if (hop->ifindex != pod->pod_ifindex)
			continue;
		*to = (struct machine_nexthop) {
			.gateway = hop->gateway,
			.weight = hop->weight,
			.onlink = (hop->flags & RTNH_F_ONLINK) != 0,
		};
		memcpy(to->dev, net->nics[0].name, sizeof(to->dev));
		route->n_nexthops++;
	}
	return 0;
}

static int add_route(
	struct machine_net *net, const struct pod_network *pod, const struct pod_route *from)
{
	struct machine_route *route = &net->routes[net->n_routes++];

	*route = (struct machine_route) {
		.family = from->family,
		.dst = prefix_of(&from->dst),
		.src = prefix_of(&from->src),
		.type = from->type,
		.scope = from->scope,
		.protocol = from->protocol,
		.tos = from->tos,
		.pref = from->pref,
		.table = from->table,
		.metric = from->metric,
		.prefsrc = from->prefsrc,
	};
	memcpy(route->metrics, from->metrics, sizeof(route->metrics));
	return add_hops(net, route, pod, from);
}

/* 0: local, 32766: main, 32767: default. */
static bool is_wanted_rule(const struct pod_rule *rule)
{
	bool born = rule->protocol == RTPROT_KERNEL &&
		    (rule->priority == 0 || rule->priority == 32766 || rule->priority == 32767);

	return !born && !rule->l3mdev;
}

static struct machine_port_range range_of(const struct pod_port_range *from)
{
	return (struct machine_port_range) { from->first, from->last };
}

static void add_rule(struct machine_net *net, const struct pod_rule *from)
{
	struct machine_rule *rule = &net->rules[net->n_rules++];

	*rule = (struct machine_rule) {
		.family = from->family,
		.priority = from->priority,
		.invert = from->invert,
		.src = prefix_of(&from->src),
		.dst = prefix_of(&from->dst),
		.fwmark = from->fwmark,
		.fwmask = from->fwmask,
		.tos = from->tos,
		.ipproto = from->ipproto,
		.protocol = from->protocol,
		.sport = range_of(&from->sport),
		.dport = range_of(&from->dport),
		.has_uids = from->has_uids,
		.uid_first = from->uid_first,
		.uid_last = from->uid_last,
		.action = from->action,
		.table = from->table,
		.target = from->target,
		.suppress_prefix_len = from->suppress_prefix_len,
	};
	memcpy(rule->iif, from->iif, sizeof(rule->iif));
	memcpy(rule->oif, from->oif, sizeof(rule->oif));
}

static bool is_wanted_neighbour(
	const struct pod_network *pod, const struct pod_neighbour *neighbour)
{
	return neighbour->ifindex == pod->pod_ifindex && neighbour->state == NUD_PERMANENT &&
	       (neighbour->flags & NTF_PROXY) == 0 && neighbour->has_mac &&
	       !mac_is_zero(&neighbour->mac) && !mac_is_multicast(&neighbour->mac);
}

static void add_neighbour(struct machine_net *net, const struct pod_neighbour *from)
{
	struct machine_neighbour *neighbour = &net->neighbours[net->n_neighbours++];

	*neighbour = (struct machine_neighbour) { .dst = from->dst, .mac = from->mac };
	memcpy(neighbour->dev, net->nics[0].name, sizeof(neighbour->dev));
}

/* --- the pod's services ---------------------------------------------------------------------- */

/* Scope host: it is never anybody's default source, nor the sender of an ARP request. */
static int add_service(struct machine_net *net)
{
	struct machine_addr *addr = &net->addrs[net->n_addrs++];
	struct machine_route *route = &net->routes[net->n_routes++];
	struct machine_nexthop *hop = calloc(1, sizeof(*hop));

	*addr = (struct machine_addr) {
		.family = AF_INET, .prefix_len = 32, .scope = RT_SCOPE_HOST
	};
	*route = (struct machine_route) {
		.family = AF_INET,
		.dst = { .len = 32 },
		.type = RTN_UNICAST,
		.scope = RT_SCOPE_LINK,
		.protocol = RTPROT_STATIC,
		.table = RT_TABLE_MAIN,
		.nexthops = hop,
	};
	if (hop == NULL)
		return -ENOMEM;
	route->n_nexthops = hop->weight = 1;
	(void)ip_addr_parse(HOST_LINK_SERVICE, &addr->local);
	(void)ip_addr_parse(HOST_LINK_IDENTITY, &route->dst.addr);
	route->prefsrc = addr->local;
	memcpy(addr->dev, net->nics[0].name, sizeof(addr->dev));
	memcpy(hop->dev, net->nics[0].name, sizeof(hop->dev));
	return 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int describe_nic(struct machine_net *net, const struct pod_interface *interface,
	const struct pod_machine_plan *plan, struct err *err)
{
	struct machine_nic *nic = &net->nics[net->n_nics++];

	*nic = (struct machine_nic) { .mtu = interface->mtu };
	memcpy(nic->name, interface->name, sizeof(nic->name));
	if (plan->mac == NULL && (!interface->has_mac || mac_is_zero(&interface->mac)))
		return err_set(err, -EINVAL,
			"%s has no MAC address that a guest could adopt: give it one of its own "
			"(mac-mode substitute)",
			interface->name);
	nic->has_mac = true;
	nic->mac = plan->mac != NULL ? *plan->mac : interface->mac;
	return 0;
}

static int allocate(struct machine_net *net, const struct pod_network *pod)
{
	net->addrs = calloc(pod->n_addresses + 1, sizeof(*net->addrs));
	net->routes = calloc(pod->n_routes + 1, sizeof(*net->routes));
	net->rules = calloc(pod->n_rules + 1, sizeof(*net->rules));
	net->neighbours = calloc(pod->n_neighbours + 1, sizeof(*net->neighbours));
	return net->addrs != NULL && net->routes != NULL && net->rules != NULL &&
			       net->neighbours != NULL
		       ? 0
		       : -ENOMEM;
}

/* The route to the services has no gateway, and so its place is before all others. */
static int fill(struct machine_net *net, const struct pod_network *pod, bool host_port)
{
	int ret = allocate(net, pod);

	if (ret == 0 && host_port)
		ret = add_service(net);
	for (size_t i = 0; i < pod->n_addresses && ret == 0; i++)
		if (is_wanted_address(pod, &pod->addresses[i]))
			add_address(net, pod, &pod->addresses[i]);
	for (size_t i = 0; i < pod->n_routes && ret == 0; i++)
		if (is_wanted_route(pod, &pod->routes[i]))
			ret = add_route(net, pod, &pod->routes[i]);
	for (size_t i = 0; i < pod->n_rules && ret == 0; i++)
		if (is_wanted_rule(&pod->rules[i]))
			add_rule(net, &pod->rules[i]);
	for (size_t i = 0; i < pod->n_neighbours && ret == 0; i++)
		if (is_wanted_neighbour(pod, &pod->neighbours[i]))
			add_neighbour(net, &pod->neighbours[i]);
	return ret;
}

static int check_size(const struct machine_net *net, struct err *err)
{
	size_t n_hops = 0;

	for (size_t i = 0; i < net->n_routes; i++)
		if (net->routes[i].n_nexthops > n_hops)
			n_hops = net->routes[i].n_nexthops;
	if (n_hops > MACHINE_NEXTHOPS_MAX)
		return err_set(err, -E2BIG, "a route of the pod has %zu next hops, more than %d",
			n_hops, MACHINE_NEXTHOPS_MAX);
	if (net->n_addrs > MACHINE_NET_ITEMS_MAX || net->n_routes > MACHINE_NET_ITEMS_MAX ||
		net->n_rules > MACHINE_NET_ITEMS_MAX || net->n_neighbours > MACHINE_NET_ITEMS_MAX)
		return err_set(err, -E2BIG,
			"the pod has %zu addresses, %zu routes, %zu rules and %zu permanent "
			"neighbours: a guest takes at most %d of each",
			net->n_addrs, net->n_routes, net->n_rules, net->n_neighbours,
			MACHINE_NET_ITEMS_MAX);
	return 0;
}

int pod_machine_net(const struct pod_network *pod, const struct pod_machine_plan *plan,
	struct machine_net *net, struct err *err)
{
	const struct pod_interface *interface = pod_network_interface(pod, pod->pod_ifindex);
	int ret;

	*net = (struct machine_net) { .n_nics = 0 };
	if (interface == NULL)
		return err_set(err, -ENODEV, "the pod has no interface");
	ret = describe_nic(net, interface, plan, err);
	if (ret == 0 && fill(net, pod, plan->host_port) < 0)
		ret = err_errno(err, ENOMEM, "cannot describe the guest's network");
	if (ret == 0)
		ret = check_size(net, err);
	if (ret < 0)
		machine_net_free(net);
	return ret;
}
