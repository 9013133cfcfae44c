/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/host_link_check.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/netlink.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#define NUD_NOBODY (NUD_INCOMPLETE | NUD_FAILED | NUD_NOARP)

/* --- by themselves --------------------------------------------------------------------------- */

static int check_address(const struct ip_addr *a, struct err *err)
{
	/* The gateway of every pod in Calico and in the AWS VPC CNI. */
	static const uint8_t gateway[4] = { 169, 254, 1, 1 };
	const struct ip_addr never = ip_addr_v4(gateway);
	char text[IP_ADDR_TEXT_MAX];

	ip_addr_format(a, text);
	if (!ip_addr_is_v4(a))
		return err_set(err, -EINVAL, "%s: the host port has IPv4 addresses only", text);
	if (!ip_addr_is_host(a))
		return err_set(err, -EINVAL, "%s: is no address of a host", text);
	if (ip_addr_equal(a, &never))
		return err_set(err, -EINVAL, "%s: is the gateway in many pods", text);
	return 0;
}

/* 0 is the identity address, then come the service addresses. */
static const struct ip_addr *nth_address(const struct host_link *link, size_t i)
{
	return i == 0 ? &link->identity : &link->service[i - 1];
}

static int check_addresses(const struct host_link *link, struct err *err)
{
	for (size_t i = 0; i <= link->n_services; i++) {
		const struct ip_addr *a = nth_address(link, i);
		char text[IP_ADDR_TEXT_MAX];
		int ret = check_address(a, err);

		if (ret < 0)
			return ret;
		for (size_t k = 0; k < i; k++)
			if (ip_addr_equal(a, nth_address(link, k)))
				return err_set(err, -EINVAL, "%s: is there twice",
					ip_addr_format(a, text));
	}
	return 0;
}

/* --- against the pod's network --------------------------------------------------------------- */

struct search {
	const struct ip_addr *addr;
	struct err *err;
	int ret; /* of the first conflict */
};

static bool is_addr(const struct nl_addr *addr, const struct ip_addr *wanted)
{
	return addr != NULL && nl_addr_get_family(addr) == AF_INET && nl_addr_get_len(addr) == 4 &&
	       memcmp(nl_addr_get_binary_addr(addr), wanted->byte + 12, 4) == 0;
}

static bool covers(const struct nl_addr *prefix, const struct ip_addr *addr)
{
	unsigned n_bits = nl_addr_get_prefixlen(prefix);
	uint32_t base, wanted, mask;

	if (n_bits == 0 || n_bits > 32 || nl_addr_get_len(prefix) != 4)
		return false;
	memcpy(&base, nl_addr_get_binary_addr(prefix), sizeof(base));
	memcpy(&wanted, addr->byte + 12, sizeof(wanted));
	mask = htonl(UINT32_MAX << (32 - n_bits));
	return (base & mask) == (wanted & mask);
}

static const char *interface_name(int ifindex, char *name)
{
	return if_indextoname((unsigned)ifindex, name) != NULL ? name : "an interface";
}

static void on_next_hop(struct rtnl_nexthop *hop, void *arg)
{
	struct search *search = arg;
	char text[IP_ADDR_TEXT_MAX], name[IF_NAMESIZE];

	if (search->ret < 0)
		return;
	if (is_addr(rtnl_route_nh_get_gateway(hop), search->addr) ||
		is_addr(rtnl_route_nh_get_via(hop), search->addr))
		search->ret = err_set(search->err, -EADDRINUSE,
			"%s: is a gateway of the pod's, on %s", ip_addr_format(search->addr, text),
			interface_name(rtnl_route_nh_get_ifindex(hop), name));
}

static void on_route(struct nl_object *object, void *arg)
{
	struct rtnl_route *route = (struct rtnl_route *)object;
	struct nl_addr *prefix = rtnl_route_get_dst(route);
	struct search *search = arg;
	char text[IP_ADDR_TEXT_MAX], routed[64], name[IF_NAMESIZE];
	struct rtnl_nexthop *hop;

	if (search->ret < 0 || rtnl_route_get_family(route) != AF_INET)
		return;
	rtnl_route_foreach_nexthop(route, on_next_hop, search);
	if (search->ret < 0 || prefix == NULL || !covers(prefix, search->addr))
		return;
	hop = rtnl_route_nexthop_n(route, 0);
	search->ret = err_set(search->err, -EADDRINUSE, "%s: the pod %s %s on %s already",
		ip_addr_format(search->addr, text),
		rtnl_route_get_type(route) == RTN_LOCAL ? "has" : "routes",
		nl_addr2str(prefix, routed, sizeof(routed)),
		interface_name(hop != NULL ? rtnl_route_nh_get_ifindex(hop) : 0, name));
}

static void on_neighbour(struct nl_object *object, void *arg)
{
	struct rtnl_neigh *neigh = (struct rtnl_neigh *)object;
	struct search *search = arg;
	char text[IP_ADDR_TEXT_MAX], name[IF_NAMESIZE];

	if (search->ret < 0 || (rtnl_neigh_get_state(neigh) & NUD_NOBODY) != 0 ||
		!is_addr(rtnl_neigh_get_dst(neigh), search->addr))
		return;
	search->ret = err_set(search->err, -EADDRINUSE, "%s: is a neighbour of the pod's, on %s",
		ip_addr_format(search->addr, text),
		interface_name(rtnl_neigh_get_ifindex(neigh), name));
}

static int search_all(const struct host_link *link, struct nl_cache *cache,
	void (*visit)(struct nl_object *object, void *arg), struct err *err)
{
	struct search search = { .err = err };

	for (size_t i = 0; i <= link->n_services && search.ret == 0; i++) {
		search.addr = nth_address(link, i);
		nl_cache_foreach(cache, visit, &search);
	}
	return search.ret;
}

static int refused(int nl_ret, const char *what, struct err *err)
{
	return err_set(err, -EIO, "cannot read the pod's %s: %s", what, nl_geterror(nl_ret));
}

/* All tables: whichever a policy rule would choose. */
static int check_routes(struct nl_sock *sock, const struct host_link *link, struct err *err)
{
	struct nl_cache *routes = NULL;
	int ret = rtnl_route_alloc_cache(sock, AF_INET, 0, &routes);

	if (ret < 0)
		return refused(ret, "routes", err);
	ret = search_all(link, routes, on_route, err);
	nl_cache_free(routes);
	return ret;
}

static int check_neighbours(struct nl_sock *sock, const struct host_link *link, struct err *err)
{
	struct nl_cache *neighbours = NULL;
	int ret = rtnl_neigh_alloc_cache(sock, &neighbours);

	if (ret < 0)
		return refused(ret, "neighbours", err);
	ret = search_all(link, neighbours, on_neighbour, err);
	nl_cache_free(neighbours);
	return ret;
}

int host_link_check(struct nl_sock *sock, const struct host_link *link, struct err *err)
{
	int ret = check_addresses(link, err);

	if (ret == 0)
		ret = check_routes(sock, link, err);
	if (ret == 0)
		ret = check_neighbours(sock, link, err);
	return ret;
}
