/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/kernel_net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/cache.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>

#include "lib/cleanup.h"

/* Changes come in groups: one look for all of them. Neighbours change all the time, and hardly ever
 * those that matter. */
#define SETTLE_MS            100
#define SETTLE_NEIGHBOURS_MS 1000

/* Room for the notifications of some hundred changes; an overflow is a change, too. */
#define EVENT_BUFFER (256 * 1024)

#define READS_MAX 64

/* --- being told ------------------------------------------------------------------------------- */

static int on_message(struct nl_msg *msg, void *arg)
{
	struct kernel_net *k = arg;
	unsigned type = msg ? nlmsg_hdr(msg)->nlmsg_type : 0;
	bool neighbour = type == RTM_NEWNEIGH || type == RTM_DELNEIGH;
	unsigned ms = neighbour ? SETTLE_NEIGHBOURS_MS : SETTLE_MS;
	const struct timeval settle = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (event_pending(k->settle, EV_TIMEOUT, NULL) && (neighbour || k->soon))
		return NL_OK;
	k->soon = !neighbour;
	event_add(k->settle, &settle);
	return NL_OK;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct kernel_net *k = arg;

	for (unsigned i = 0; i < READS_MAX; i++) {
		int ret = nl_recvmsgs_default(k->events);

		if (ret == -NLE_AGAIN)
			return;
		if (ret < 0)
			(void)on_message(NULL, k);
	}
}

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
	struct kernel_net *k = arg;

	k->on_change(k->ctx);
}

static int subscribe(struct kernel_net *k)
{
	int ret;

	nl_socket_disable_seq_check(k->events);
	ret = nl_connect(k->events, NETLINK_ROUTE);
	if (ret == 0)
		ret = nl_socket_modify_cb(k->events, NL_CB_VALID, NL_CB_CUSTOM, on_message, k);
	if (ret == 0)
		ret = nl_socket_set_nonblocking(k->events);
	if (ret == 0)
		ret = nl_socket_add_memberships(k->events, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
			RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEIGH,
			RTNLGRP_NONE);
	(void)nl_socket_set_buffer_size(k->events, EVENT_BUFFER, 0);
	return ret;
}

int kernel_net_open(struct kernel_net *k, struct event_base *base, void (*on_change)(void *ctx),
	void *ctx, struct err *err)
{
	int ret;

	*k = (struct kernel_net) { .on_change = on_change, .ctx = ctx };
	k->events = nl_socket_alloc();
	ret = k->events ? subscribe(k) : -NLE_NOMEM;
	if (ret < 0) {
		kernel_net_close(k);
		return err_set(err, -EIO, "cannot follow the pod's network: %s", nl_geterror(ret));
	}
	k->event =
		event_new(base, nl_socket_get_fd(k->events), EV_READ | EV_PERSIST, on_readable, k);
	k->settle = event_new(base, -1, 0, on_settled, k);
	if (!k->event || !k->settle || event_add(k->event, NULL) < 0) {
		kernel_net_close(k);
		return err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

void kernel_net_look_again(struct kernel_net *k)
{
	if (k->settle)
		(void)on_message(NULL, k);
}

void kernel_net_close(struct kernel_net *k)
{
	if (k->event)
		event_free(k->event);
	if (k->settle)
		event_free(k->settle);
	nl_socket_free(k->events);
	*k = (struct kernel_net) { 0 };
}

/* --- reading ---------------------------------------------------------------------------------- */

/* False: not an IP address that a host can have. */
static bool read_ip(struct nl_addr *from, struct ip_addr *to)
{
	if (from && nl_addr_get_family(from) == AF_INET && nl_addr_get_len(from) == 4)
		*to = ip_addr_v4(nl_addr_get_binary_addr(from));
	else if (from && nl_addr_get_family(from) == AF_INET6 && nl_addr_get_len(from) == 16)
		*to = ip_addr_v6(nl_addr_get_binary_addr(from));
	else
		return false;
	return ip_addr_is_host(to);
}

static void add_unique(struct ip_addr *list, unsigned *n, unsigned n_max, const struct ip_addr *ip)
{
	for (unsigned i = 0; i < *n; i++)
		if (ip_addr_equal(&list[i], ip))
			return;
	if (*n < n_max)
		list[(*n)++] = *ip;
}

static int read_link(struct nl_sock *sock, const char *interface, struct kernel_view *view)
{
	struct rtnl_link *link;
	struct nl_addr *mac;
	int ret = rtnl_link_get_kernel(sock, 0, interface, &link);

	if (ret < 0)
		return ret;
	view->link.ifindex = rtnl_link_get_ifindex(link);
	view->link.mtu = rtnl_link_get_mtu(link);
	mac = rtnl_link_get_addr(link);
	if (mac && nl_addr_get_len(mac) == sizeof(view->link.mac))
		memcpy(&view->link.mac, nl_addr_get_binary_addr(mac), sizeof(view->link.mac));
	rtnl_link_put(link);
	return 0;
}

static void take_addr(struct nl_object *object, void *arg)
{
	struct rtnl_addr *addr = (struct rtnl_addr *)object;
	struct kernel_view *view = arg;
	struct ip_addr ip;

	if (rtnl_addr_get_ifindex(addr) == view->link.ifindex &&
		read_ip(rtnl_addr_get_local(addr), &ip))
		add_unique(view->addr, &view->n_addrs, POD_KERNEL_ADDRS_MAX, &ip);
}

static void take_hop(struct rtnl_nexthop *hop, void *arg)
{
	struct kernel_view *view = arg;
	struct ip_addr ip;

	if (rtnl_route_nh_get_ifindex(hop) != view->link.ifindex)
		return;
	if (read_ip(rtnl_route_nh_get_gateway(hop), &ip) ||
		read_ip(rtnl_route_nh_get_via(hop), &ip))
		add_unique(view->gateway, &view->n_gateways, POD_GATEWAYS_MAX, &ip);
}

static void take_route(struct nl_object *object, void *arg)
{
	rtnl_route_foreach_nexthop((struct rtnl_route *)object, take_hop, arg);
}

static void take_neighbour(struct nl_object *object, void *arg)
{
	struct rtnl_neigh *neigh = (struct rtnl_neigh *)object;
	struct nl_addr *mac = rtnl_neigh_get_lladdr(neigh);
	struct kernel_view *view = arg;
	struct kernel_neighbour *entry;
	struct ip_addr ip;

	if (rtnl_neigh_get_ifindex(neigh) != view->link.ifindex ||
		!(rtnl_neigh_get_state(neigh) & NUD_PERMANENT) || !mac ||
		nl_addr_get_len(mac) != sizeof(entry->mac) ||
		!read_ip(rtnl_neigh_get_dst(neigh), &ip))
		return;
	entry = &view->permanent[view->n_permanent++];
	entry->ip = ip;
	entry->from_kernel = true;
	memcpy(&entry->mac, nl_addr_get_binary_addr(mac), sizeof(entry->mac));
}

/* Room for as many permanent neighbours as there are neighbours. */
static int make_room(struct nl_cache *neighbours, struct kernel_view *view)
{
	view->permanent = calloc((size_t)nl_cache_nitems(neighbours) + 1, sizeof(*view->permanent));
	return view->permanent ? 0 : -NLE_NOMEM;
}

static int read_addrs(struct nl_sock *sock, struct kernel_view *view)
{
	struct nl_cache *cache;
	int ret = rtnl_addr_alloc_cache(sock, &cache);

	if (ret < 0)
		return ret;
	nl_cache_foreach(cache, take_addr, view);
	nl_cache_free(cache);
	return 0;
}

static int read_routes(struct nl_sock *sock, struct kernel_view *view)
{
	struct nl_cache *cache;
	int ret = rtnl_route_alloc_cache(sock, AF_UNSPEC, 0, &cache);

	if (ret < 0)
		return ret;
	nl_cache_foreach(cache, take_route, view);
	nl_cache_free(cache);
	return 0;
}

static int read_neighbours(struct nl_sock *sock, struct kernel_view *view)
{
	struct nl_cache *cache;
	int ret = rtnl_neigh_alloc_cache(sock, &cache);

	if (ret < 0)
		return ret;
	ret = make_room(cache, view);
	if (ret == 0)
		nl_cache_foreach(cache, take_neighbour, view);
	nl_cache_free(cache);
	return ret;
}

static int read_all(struct nl_sock *sock, const char *interface, struct kernel_view *view)
{
	int ret = read_link(sock, interface, view);

	if (ret == -NLE_NODEV || ret == -NLE_OBJ_NOTFOUND)
		return 0;
	if (ret == 0)
		ret = read_addrs(sock, view);
	if (ret == 0)
		ret = read_routes(sock, view);
	return ret == 0 ? read_neighbours(sock, view) : ret;
}

int kernel_net_read(const char *interface, struct kernel_view *view)
{
	struct nl_sock *sock = nl_socket_alloc();
	int ret = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;

	*view = (struct kernel_view) { 0 };
	if (ret == 0)
		ret = read_all(sock, interface, view);
	nl_socket_free(sock);
	if (ret < 0)
		kernel_view_free(view);
	return ret < 0 ? -EIO : 0;
}

void kernel_view_free(struct kernel_view *view)
{
	free(view->permanent);
	*view = (struct kernel_view) { 0 };
}

bool kernel_view_equal(const struct kernel_view *a, const struct kernel_view *b)
{
	return a->link.ifindex == b->link.ifindex &&
	       memcmp(&a->link.mac, &b->link.mac, sizeof(a->link.mac)) == 0 &&
	       a->n_addrs == b->n_addrs &&
	       memcmp(a->addr, b->addr, a->n_addrs * sizeof(a->addr[0])) == 0 &&
	       a->n_gateways == b->n_gateways &&
	       memcmp(a->gateway, b->gateway, a->n_gateways * sizeof(a->gateway[0])) == 0 &&
	       a->n_permanent == b->n_permanent &&
	       (a->n_permanent == 0 || memcmp(a->permanent, b->permanent,
					       a->n_permanent * sizeof(a->permanent[0])) == 0);
}
