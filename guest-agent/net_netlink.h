/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Requests to the kernel's network configuration, with the kernel's own reasons: libnl's error
 * codes name fewer than errno does, and drop the text that comes along (NETLINK_EXT_ACK).
 */

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "lib/err.h"
#include "lib/ip_addr.h"

/* `group` is a RTNLGRP_* to hear from, without waiting; 0: for requests. To be closed with
 * nl_socket_free(). */
int net_netlink_open(struct nl_sock **sock, int group, struct err *err);

/*
 * Sends `msg`, which it frees, and waits for the answer. NULL stands for a message that could not
 * be made. On failure *err is the reason alone: callers say of what.
 */
int net_netlink_request(struct nl_sock *sock, struct nl_msg *msg, struct err *err);

/* Adds what one message of a list says. A negative errno ends it. */
typedef int (*net_netlink_fn)(void *arg, struct nlmsghdr *message);

/* A family that the kernel lacks has an empty list. -EAGAIN: it changed meanwhile. */
int net_netlink_dump(
	struct nl_sock *sock, int type, int family, net_netlink_fn fn, void *arg, struct err *err);

/*
 * `msg`, which `ret` says has been filled; negative: it could not be, and is freed. NULL then, as
 * for a message that could not be made to begin with: net_netlink_request() says so.
 */
struct nl_msg *net_netlink_filled(struct nl_msg *msg, int ret);

/* Puts its four or sixteen bytes. */
int net_netlink_put_ip(struct nl_msg *msg, int attr, const struct ip_addr *addr);
