/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How a snapshot of the pod's network is filled, for the files of this directory.
 *
 * Lists come from netlink dumps, message by message, and not through libnl's caches: a cache holds
 * one object per identity, and in libnl 3.7 neither the device nor the gateway is part of a
 * route's. Of `fe80::/64 dev eth0` and `fe80::/64 dev net1` it keeps one, silently.
 *
 * A list that changed while the kernel wrote it (NLM_F_DUMP_INTR) is void: -EAGAIN, and the whole
 * snapshot is taken again.
 */

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "launcher/pod/pod_network.h"

/* Sockets: `groups` are RTNLGRP_* to hear from, ended by 0; NULL: one for requests. */
int pod_netlink_open(struct nl_sock **sock, const int *groups, struct err *err);

/* Adds what one message says; -ENOMEM, or another error that ends the dump. */
typedef int (*pod_message_fn)(struct pod_network *net, struct nlmsghdr *message);

struct pod_dump {
	const char *what;   /* "routes", for errors */
	int type;           /* RTM_GETROUTE */
	int family;         /* AF_INET, AF_INET6, AF_UNSPEC; messages of others are passed over */
	size_t header_size; /* of struct rtmsg or the like, which begins with the family */
	pod_message_fn add;
};

/* A kernel without that family, or without policy rules, has an empty list. */
int pod_netlink_dump(struct nl_sock *sock, const struct pod_dump *dump, struct pod_network *net,
	struct err *err);

int pod_add_interface(struct pod_network *net, struct nlmsghdr *message);
int pod_add_address(struct pod_network *net, struct nlmsghdr *message);
int pod_add_neighbour(struct pod_network *net, struct nlmsghdr *message);
int pod_add_route(struct pod_network *net, struct nlmsghdr *message);
int pod_add_rule(struct pod_network *net, struct nlmsghdr *message);

/* -errno of an error of libnl's. */
int pod_errno_of(int nl_error);

/*
 * From the four or sixteen bytes of a payload; anything else, as that of a "default" is, and NULL
 * are the unspecified address, which means none.
 */
struct ip_addr pod_ip_of(const void *bytes, size_t len);
struct ip_addr pod_ip_of_attr(const struct nlattr *attr);

/* False unless it is there and has six bytes. */
bool pod_mac_of_attr(const struct nlattr *attr, struct mac *mac);

/* 0 if it is not there. */
uint32_t pod_u32_of_attr(const struct nlattr *attr);

/* One more item, zeroed, at the end of net->LIST; NULL: no memory. */
#define pod_append(net, list)                                                                      \
	((__typeof__((net)->list))pod_append_(                                                     \
		(void **)&(net)->list, &(net)->n_##list, sizeof(*(net)->list)))
void *pod_append_(void **items, size_t *n, size_t size);
