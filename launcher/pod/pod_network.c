/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/pod_network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <netlink/socket.h>

#include "launcher/pod/pod_read.h"

/* Lists that change while the kernel writes them are asked for again, this many times. */
#define ATTEMPTS 500

#define OWN_PREFIX "sluice0"

static int read_lists(struct pod_network *net, struct nl_sock *sock, struct err *err)
{
	static const struct pod_dump dumps[] = {
		{ "interfaces", RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg),
			pod_add_interface },
		{ "addresses", RTM_GETADDR, AF_INET, sizeof(struct ifaddrmsg), pod_add_address },
		{ "addresses", RTM_GETADDR, AF_INET6, sizeof(struct ifaddrmsg), pod_add_address },
		{ "routes", RTM_GETROUTE, AF_INET, sizeof(struct rtmsg), pod_add_route },
		{ "routes", RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), pod_add_route },
		{ "policy rules", RTM_GETRULE, AF_INET, sizeof(struct fib_rule_hdr), pod_add_rule },
		{ "policy rules", RTM_GETRULE, AF_INET6, sizeof(struct fib_rule_hdr),
			pod_add_rule },
		{ "neighbours", RTM_GETNEIGH, AF_INET, sizeof(struct ndmsg), pod_add_neighbour },
		{ "neighbours", RTM_GETNEIGH, AF_INET6, sizeof(struct ndmsg), pod_add_neighbour },
	};
	int ret = 0;

	for (size_t i = 0; i < sizeof(dumps) / sizeof(dumps[0]) && ret == 0; i++)
		ret = pod_netlink_dump(sock, &dumps[i], net, err);
	return ret;
}

static bool has_gateway(const struct pod_route *route)
{
	for (size_t i = 0; i < route->n_nexthops; i++)
		if (!ip_addr_is_unspecified(&route->nexthops[i].gateway))
			return true;
	return false;
}

/* Those without a gateway first, otherwise as they came. */
static int order_routes(struct pod_network *net)
{
	struct pod_route *ordered = calloc(net->n_routes + 1, sizeof(*ordered));
	size_t n = 0;

	if (ordered == NULL)
		return -ENOMEM;
	for (int with_gateway = 0; with_gateway < 2; with_gateway++)
		for (size_t i = 0; i < net->n_routes; i++)
			if (has_gateway(&net->routes[i]) == with_gateway)
				ordered[n++] = net->routes[i];
	free(net->routes);
	net->routes = ordered;
	return 0;
}

static int read_files(struct pod_network *net, struct err *err)
{
	if (gethostname(net->hostname, sizeof(net->hostname)) < 0)
		return err_errno(err, errno, "cannot read the host name");
	return resolv_conf_read(&net->resolv_conf, RESOLV_CONF_PATH, err);
}

int pod_network_read(struct pod_network *net, struct err *err)
{
	struct nl_sock *sock = NULL;
	int ret = pod_netlink_open(&sock, NULL, err);

	*net = (struct pod_network) { .n_interfaces = 0 };
	if (ret < 0)
		return ret;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		ret = read_lists(net, sock, err);
		if (ret != -EAGAIN)
			break;
		pod_network_free(net);
	}
	nl_socket_free(sock);
	if (ret == 0 && order_routes(net) < 0)
		ret = err_errno(err, ENOMEM, "cannot list the pod's routes");
	if (ret == 0)
		ret = read_files(net, err);
	if (ret < 0)
		pod_network_free(net);
	return ret;
}

void pod_network_free(struct pod_network *net)
{
	for (size_t i = 0; i < net->n_routes; i++)
		free(net->routes[i].nexthops);
	free(net->interfaces);
	free(net->addresses);
	free(net->routes);
	free(net->rules);
	free(net->neighbours);
	resolv_conf_free(&net->resolv_conf);
	*net = (struct pod_network) { .n_interfaces = 0 };
}

const struct pod_interface *pod_network_interface(const struct pod_network *net, int ifindex)
{
	for (size_t i = 0; i < net->n_interfaces; i++)
		if (net->interfaces[i].ifindex == ifindex)
			return &net->interfaces[i];
	return NULL;
}

const char *pod_network_ifname(const struct pod_network *net, int ifindex, char *name)
{
	const struct pod_interface *interface = pod_network_interface(net, ifindex);

	if (interface != NULL)
		snprintf(name, IFNAMSIZ, "%s", interface->name);
	else
		snprintf(name, IFNAMSIZ, "if%d", ifindex);
	return name;
}

/* Why it can never be the pod's; NULL: it can. */
static const char *objection(const struct pod_interface *interface)
{
	if (interface->flags & IFF_LOOPBACK)
		return "is the loopback";
	if (strncmp(interface->name, OWN_PREFIX, strlen(OWN_PREFIX)) == 0)
		return "is one of Sluice's own";
	return NULL;
}

/* " (there are eth0, net1)", of what could be chosen; " (there is no other)". */
static void list_names(const struct pod_network *net, char *text, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < net->n_interfaces && len + 3 < size; i++) {
		if (objection(&net->interfaces[i]) != NULL)
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s%s",
			len == 0 ? " (there are " : ", ", net->interfaces[i].name);
	}
	if (len == 0)
		snprintf(text, size, " (there is none but the loopback)");
	else if (len + 1 < size)
		snprintf(text + len, size - len, ")");
}

static int choose_by_name(struct pod_network *net, const char *name, struct err *err)
{
	char names[128];

	for (size_t i = 0; i < net->n_interfaces; i++) {
		const struct pod_interface *interface = &net->interfaces[i];

		if (strcmp(interface->name, name) != 0)
			continue;
		if (objection(interface) != NULL)
			return err_set(err, -EINVAL, "%s %s, it cannot be the pod's interface",
				name, objection(interface));
		net->pod_ifindex = interface->ifindex;
		return 0;
	}
	list_names(net, names, sizeof(names));
	return err_set(err, -ENODEV, "there is no interface \"%s\" in this pod%s", name, names);
}

/* 0: it says nothing about the pod's interface. */
static int default_route_ifindex(const struct pod_network *net, const struct pod_route *route)
{
	if (route->dst.len != 0 || route->table != RT_TABLE_MAIN || route->type != RTN_UNICAST)
		return 0;
	for (size_t i = 0; i < route->n_nexthops; i++) {
		const struct pod_interface *interface =
			pod_network_interface(net, route->nexthops[i].ifindex);

		if (interface != NULL && objection(interface) == NULL)
			return interface->ifindex;
	}
	return 0;
}

static int by_default_route(const struct pod_network *net, int family)
{
	uint32_t metric = UINT32_MAX;
	int best = 0;

	for (size_t i = 0; i < net->n_routes; i++) {
		const struct pod_route *route = &net->routes[i];
		int ifindex = default_route_ifindex(net, route);

		if (route->family != family || ifindex == 0 ||
			(best != 0 && route->metric >= metric))
			continue;
		metric = route->metric;
		best = ifindex;
	}
	return best;
}

/* Tunnel devices that every namespace is born with (tunl0, sit0) are not Ethernet. */
static int choose_without_route(struct pod_network *net, struct err *err)
{
	int only = 0, n = 0;
	char names[128];

	for (size_t i = 0; i < net->n_interfaces; i++) {
		const struct pod_interface *interface = &net->interfaces[i];

		if (objection(interface) != NULL || !interface->has_mac)
			continue;
		if (strcmp(interface->name, "eth0") == 0) {
			net->pod_ifindex = interface->ifindex;
			return 0;
		}
		only = interface->ifindex;
		n++;
	}
	if (n == 1) {
		net->pod_ifindex = only;
		return 0;
	}
	list_names(net, names, sizeof(names));
	if (n == 0)
		return err_set(err, -ENODEV, "this pod has no interface%s", names);
	return err_set(err, -EAGAIN,
		"there is no default route that tells which of the pod's interfaces to use%s: name "
		"one",
		names);
}

int pod_network_choose(struct pod_network *net, const char *name, struct err *err)
{
	if (name != NULL)
		return choose_by_name(net, name, err);
	net->pod_ifindex = by_default_route(net, AF_INET);
	if (net->pod_ifindex == 0)
		net->pod_ifindex = by_default_route(net, AF_INET6);
	return net->pod_ifindex != 0 ? 0 : choose_without_route(net, err);
}

/* An optimistic address (RFC 4429) may be used while it is still being verified. */
static bool is_usable(uint32_t flags)
{
	if (flags & IFA_F_DADFAILED)
		return false;
	return !(flags & IFA_F_TENTATIVE) || (flags & IFA_F_OPTIMISTIC);
}

enum pod_address_state pod_network_address_state(const struct pod_network *net)
{
	enum pod_address_state state = POD_ADDRESS_NONE;

	for (size_t i = 0; i < net->n_addresses; i++) {
		const struct pod_address *address = &net->addresses[i];

		if (address->ifindex != net->pod_ifindex || address->scope >= RT_SCOPE_LINK)
			continue;
		if (is_usable(address->flags))
			return POD_ADDRESS_READY;
		state = POD_ADDRESS_TENTATIVE;
	}
	return state;
}
