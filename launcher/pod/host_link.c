/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/host_link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "launcher/pod/host_link_check.h"
#include "launcher/pod/quiet_link.h"
#include "launcher/pod/rtnl_socket.h"
#include "lib/fnv1a.h"

/* Ours return a negative errno; what libnl says becomes one here. */
static int report(int nl_ret, const char *what, struct err *err)
{
	if (nl_ret >= 0)
		return 0;
	if (nl_ret == -NLE_PERM)
		return err_set(err, -EPERM, "%s: needs CAP_NET_ADMIN", what);
	return err_set(err, -EIO, "%s: %s", what, nl_geterror(nl_ret));
}

/* --- addresses ------------------------------------------------------------------------------- */

/*
 * aa:fc:00 and three bytes that are the same for the same end of the same identity address (FNV-1a,
 * 32 bits), so that a guest's neighbour entry outlives the link. They are of one pod alone.
 */
static struct mac derive_mac(const char *name, const struct ip_addr *identity)
{
	struct mac mac = { { 0xaa, 0xfc, 0x00 } };
	uint32_t hash = fnv1a(fnv1a_text(name), identity->byte, sizeof(identity->byte));

	mac.byte[3] = (uint8_t)(hash >> 16);
	mac.byte[4] = (uint8_t)(hash >> 8);
	mac.byte[5] = (uint8_t)hash;
	return mac;
}

struct mac host_link_mac(const struct ip_addr *identity)
{
	return derive_mac(HOST_LINK_NAME, identity);
}

static struct nl_addr *build_v4(const struct ip_addr *a)
{
	struct nl_addr *addr = nl_addr_build(AF_INET, a->byte + 12, 4);

	if (addr != NULL)
		nl_addr_set_prefixlen(addr, 32);
	return addr;
}

/* Scope link: the kernel never takes it as the source of what leaves by another interface. */
static int add_address(struct nl_sock *sock, int ifindex, const struct ip_addr *identity)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = build_v4(identity);
	int ret = -NLE_NOMEM;

	if (addr != NULL && local != NULL) {
		rtnl_addr_set_ifindex(addr, ifindex);
		rtnl_addr_set_scope(addr, RT_SCOPE_LINK);
		ret = rtnl_addr_set_local(addr, local);
		if (ret == 0)
			ret = rtnl_addr_add(sock, addr, NLM_F_EXCL);
	}
	nl_addr_put(local);
	rtnl_addr_put(addr);
	return ret;
}

static int set_route(
	struct rtnl_route *route, int ifindex, struct nl_addr *to, struct nl_addr *from)
{
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	int ret;

	if (hop == NULL)
		return -NLE_NOMEM;
	rtnl_route_nh_set_ifindex(hop, ifindex);
	rtnl_route_add_nexthop(route, hop);
	rtnl_route_set_scope(route, RT_SCOPE_LINK);
	rtnl_route_set_table(route, RT_TABLE_MAIN);
	ret = rtnl_route_set_dst(route, to);
	return ret == 0 ? rtnl_route_set_pref_src(route, from) : ret;
}

static int add_route(struct nl_sock *sock, int ifindex, const struct ip_addr *service,
	const struct ip_addr *identity)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct nl_addr *to = build_v4(service), *from = build_v4(identity);
	int ret = -NLE_NOMEM;

	if (route != NULL && to != NULL && from != NULL) {
		ret = set_route(route, ifindex, to, from);
		if (ret == 0)
			ret = rtnl_route_add(sock, route, NLM_F_CREATE | NLM_F_EXCL);
	}
	nl_addr_put(from);
	nl_addr_put(to);
	rtnl_route_put(route);
	return ret;
}

/* --- links ----------------------------------------------------------------------------------- */

static int describe_end(
	struct rtnl_link *end, const char *name, unsigned mtu, const struct mac *mac)
{
	struct nl_addr *addr = nl_addr_build(AF_LLC, mac->byte, sizeof(mac->byte));

	if (addr == NULL)
		return -NLE_NOMEM;
	rtnl_link_set_name(end, name);
	rtnl_link_set_mtu(end, mtu);
	rtnl_link_set_addr(end, addr);
	nl_addr_put(addr);
	return 0;
}

static int add_pair(struct nl_sock *sock, const struct host_link *link)
{
	struct mac mac = mac_is_zero(&link->mac) ? host_link_mac(&link->identity) : link->mac;
	struct mac far_mac = mac_is_zero(&link->far_mac)
				     ? derive_mac(HOST_LINK_FAR_NAME, &link->identity)
				     : link->far_mac;
	struct rtnl_link *pair = rtnl_link_veth_alloc();
	struct rtnl_link *far_end = pair != NULL ? rtnl_link_veth_get_peer(pair) : NULL;
	int ret = -NLE_NOMEM;

	if (far_end != NULL)
		ret = describe_end(pair, HOST_LINK_NAME, link->mtu, &mac);
	if (ret == 0)
		ret = describe_end(far_end, HOST_LINK_FAR_NAME, link->mtu, &far_mac);
	if (ret == 0)
		ret = rtnl_link_add(sock, pair, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_link_put(far_end);
	if (pair != NULL)
		rtnl_link_veth_release(pair);
	return ret;
}

/* *is_there is false if there is nothing of that name. */
static int look_for(struct nl_sock *sock, bool *is_there, struct err *err)
{
	struct rtnl_link *link = NULL;
	int ret = rtnl_link_get_kernel(sock, 0, HOST_LINK_NAME, &link);
	bool ours;

	*is_there = false;
	if (ret == -NLE_OBJ_NOTFOUND || ret == -NLE_NODEV)
		return 0;
	if (ret < 0)
		return report(ret, "cannot look for " HOST_LINK_NAME, err);
	ours = rtnl_link_is_veth(link) != 0;
	rtnl_link_put(link);
	if (!ours)
		return err_set(err, -EEXIST,
			"there is an interface " HOST_LINK_NAME " that is not ours (no veth)");
	*is_there = true;
	return 0;
}

static int remove_pair(struct nl_sock *sock, struct err *err)
{
	struct rtnl_link *link;
	bool is_there;
	int ret = look_for(sock, &is_there, err);

	if (ret < 0 || !is_there)
		return ret;
	link = rtnl_link_alloc();
	if (link == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	rtnl_link_set_name(link, HOST_LINK_NAME);
	ret = rtnl_link_delete(sock, link);
	rtnl_link_put(link);
	return report(ret, "cannot remove " HOST_LINK_NAME, err);
}

static int configure(struct nl_sock *sock, const struct host_link *link, struct err *err)
{
	int ifindex = (int)if_nametoindex(HOST_LINK_NAME);
	int ret = quiet_link_up(sock, HOST_LINK_FAR_NAME, ARP_IGNORE_ALL);

	if (ret == 0)
		ret = quiet_link_up(sock, HOST_LINK_NAME, ARP_IGNORE_ALL_BUT_OWN);
	if (ret < 0)
		return report(ret, "cannot set up " HOST_LINK_NAME, err);
	ret = add_address(sock, ifindex, &link->identity);
	if (ret < 0)
		return report(ret, "cannot add the identity address to " HOST_LINK_NAME, err);
	for (size_t i = 0; i < link->n_services && ret == 0; i++)
		ret = add_route(sock, ifindex, &link->service[i], &link->identity);
	return report(ret, "cannot route a service address to " HOST_LINK_NAME, err);
}

static int create(struct nl_sock *sock, const struct host_link *link, struct err *err)
{
	int ret = remove_pair(sock, err);

	if (ret == 0)
		ret = host_link_check(sock, link, err);
	if (ret < 0)
		return ret;
	ret = report(add_pair(sock, link), "cannot create " HOST_LINK_NAME, err);
	if (ret < 0)
		return ret;
	ret = configure(sock, link, err);
	if (ret < 0)
		(void)remove_pair(sock, NULL);
	return ret;
}

int host_link_create(const struct host_link *link, struct err *err)
{
	struct nl_sock *sock;
	int ret = report(rtnl_socket_open(&sock), "cannot open a netlink socket", err);

	if (ret == 0)
		ret = create(sock, link, err);
	nl_socket_free(sock);
	return ret < 0 ? err_wrap(err, ret, "host port") : 0;
}

int host_link_remove(struct err *err)
{
	struct nl_sock *sock;
	int ret = report(rtnl_socket_open(&sock), "cannot open a netlink socket", err);

	if (ret == 0)
		ret = remove_pair(sock, err);
	nl_socket_free(sock);
	return ret < 0 ? err_wrap(err, ret, "host port") : 0;
}
