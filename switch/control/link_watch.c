/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/link_watch.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/socket.h>

#include "lib/log.h"

/* Room for the notifications of some hundred interfaces; an overflow costs one look. */
#define EVENT_BUFFER (512 * 1024)

/* Datagrams read before other events of the loop have their turn. */
#define READS_MAX 64

/* libnl has error numbers of its own. */
static int errno_of(int nl_error)
{
	switch (-nl_error) {
	case NLE_SUCCESS:
		return 0;
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return -ENODEV;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_AF_NOSUPPORT:
		return -EAFNOSUPPORT;
	default:
		return -EIO;
	}
}

static void tell_all(struct link_watch *lw, const char *name, int ifindex)
{
	for (unsigned i = 0; i < lw->n_ports; i++)
		lw->port[i]->ops->link_changed(lw->port[i], name, ifindex);
}

static int on_message(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct nlattr *name;

	if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) ||
		!nlmsg_valid_hdr(h, sizeof(struct ifinfomsg)))
		return NL_OK;
	name = nlmsg_find_attr(h, sizeof(struct ifinfomsg), IFLA_IFNAME);
	if (name)
		tell_all(arg, nla_get_string(name), ((struct ifinfomsg *)nlmsg_data(h))->ifi_index);
	return NL_OK;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link_watch *lw = arg;

	for (unsigned i = 0; i < READS_MAX; i++) {
		int ret = nl_recvmsgs_default(lw->events);

		if (ret == -NLE_AGAIN)
			return;
		if (ret < 0) {
			log_limited(LOG_LEVEL_WARN,
				"lost news of network interfaces, looking again",
				log_str("why", nl_geterror(ret)));
			tell_all(lw, NULL, 0);
		}
	}
}

/* The socket to *out; an answer may be longer than a page: a link with many virtual functions. */
static int open_socket(struct nl_sock **out)
{
	int ret;

	*out = nl_socket_alloc();
	if (!*out)
		return -ENOMEM;
	nl_socket_enable_msg_peek(*out);
	ret = nl_connect(*out, NETLINK_ROUTE);
	return ret < 0 ? errno_of(ret) : 0;
}

static int subscribe(struct link_watch *lw, struct event_base *base)
{
	int ret;

	nl_socket_disable_seq_check(lw->events);
	(void)nl_socket_set_buffer_size(lw->events, EVENT_BUFFER, 0);
	ret = nl_socket_modify_cb(lw->events, NL_CB_VALID, NL_CB_CUSTOM, on_message, lw);
	if (ret == 0)
		ret = nl_socket_set_nonblocking(lw->events);
	if (ret == 0)
		ret = nl_socket_add_membership(lw->events, RTNLGRP_LINK);
	if (ret < 0)
		return errno_of(ret);
	lw->event = event_new(
		base, nl_socket_get_fd(lw->events), EV_READ | EV_PERSIST, on_readable, lw);
	return lw->event && event_add(lw->event, NULL) == 0 ? 0 : -ENOMEM;
}

static int open_watch(struct link_watch *lw, struct event_base *base)
{
	int ret = open_socket(&lw->query);

	if (ret == 0)
		ret = open_socket(&lw->events);
	if (ret == 0)
		ret = subscribe(lw, base);
	if (ret < 0)
		link_watch_close(lw);
	return ret;
}

int link_watch_add(struct link_watch *lw, struct event_base *base, struct port *port)
{
	int ret = lw->events ? 0 : open_watch(lw, base);

	if (ret < 0)
		return ret;
	for (unsigned i = 0; i < lw->n_ports; i++)
		if (lw->port[i] == port)
			return 0;
	if (lw->n_ports == PORT_MAX)
		return -ENOSPC;
	lw->port[lw->n_ports++] = port;
	return 0;
}

void link_watch_remove(struct link_watch *lw, const struct port *port)
{
	for (unsigned i = 0; i < lw->n_ports; i++) {
		if (lw->port[i] != port)
			continue;
		lw->port[i] = lw->port[--lw->n_ports];
		return;
	}
}

static void describe(struct rtnl_link *link, struct link_info *out)
{
	struct nl_addr *mac = rtnl_link_get_addr(link);
	unsigned flags = rtnl_link_get_flags(link);

	*out = (struct link_info) {
		.ifindex = rtnl_link_get_ifindex(link),
		.up = flags & IFF_UP,
		.running = flags & IFF_RUNNING,
		.mtu = rtnl_link_get_mtu(link),
	};
	snprintf(out->name, sizeof(out->name), "%s", rtnl_link_get_name(link));
	if (mac && nl_addr_get_len(mac) == sizeof(out->mac))
		memcpy(&out->mac, nl_addr_get_binary_addr(mac), sizeof(out->mac));
}

/* What is left of a failed conversation must not be taken for the next answer. */
static void reopen_query(struct link_watch *lw)
{
	nl_close(lw->query);
	(void)nl_connect(lw->query, NETLINK_ROUTE);
}

int link_watch_find(struct link_watch *lw, const char *name, int ifindex, struct link_info *out)
{
	struct rtnl_link *link = NULL;
	int ret;

	if (!lw->query)
		return -ENOTCONN;
	ret = errno_of(rtnl_link_get_kernel(lw->query, name ? 0 : ifindex, name, &link));
	if (ret < 0) {
		if (ret != -ENODEV)
			reopen_query(lw);
		return ret;
	}
	describe(link, out);
	rtnl_link_put(link);
	return 0;
}

void link_watch_close(struct link_watch *lw)
{
	if (lw->event)
		event_free(lw->event);
	nl_socket_free(lw->query);
	nl_socket_free(lw->events);
	*lw = (struct link_watch) { 0 };
}
