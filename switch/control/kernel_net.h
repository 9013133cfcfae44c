/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What the pod's kernel knows of the network behind an interface: the addresses it has there, the
 * gateways of its default and other routes, and its PERMANENT neighbours, which some networks hand
 * to a pod in place of anything that answers ARP. Read by rtnetlink(7).
 *
 * As in link_watch.h notifications are only hints: whoever is told reads everything again, at most
 * a few times a second.
 *
 * Thread-safety: control thread only.
 */

#include <event2/event.h>

#include "lib/ip_addr.h"
#include "lib/mac.h"
#include "switch/datapath/pod.h"
#include "switch/port/link.h"

struct nl_sock;

struct kernel_neighbour {
	struct ip_addr ip;
	struct mac mac;
	bool from_kernel; /* or from the configuration, which comes first */
};

struct kernel_view {
	struct link_info link; /* ifindex 0: there is no such interface */
	unsigned n_addrs;
	struct ip_addr addr[POD_KERNEL_ADDRS_MAX];
	unsigned n_gateways;
	struct ip_addr gateway[POD_GATEWAYS_MAX];
	size_t n_permanent;
	struct kernel_neighbour *permanent;
};

struct kernel_net {
	struct nl_sock *events; /* NULL: closed */
	struct event *event;
	struct event *settle; /* pending: something has changed */
	bool soon;            /* it is more than a neighbour */
	void (*on_change)(void *ctx);
	void *ctx;
};

/* Has on_change() called from the event loop, a moment after anything has changed. *k starts out
 * zeroed. -errno with *err set. */
int kernel_net_open(struct kernel_net *k, struct event_base *base, void (*on_change)(void *ctx),
	void *ctx, struct err *err);

/* Has on_change() called a moment later, as if something had changed. */
void kernel_net_look_again(struct kernel_net *k);

void kernel_net_close(struct kernel_net *k);

/* Reads how things are at the interface of this name; free with kernel_view_free(). -errno: the
 * kernel did not tell, and *view is empty. */
int kernel_net_read(const char *interface, struct kernel_view *view);

void kernel_view_free(struct kernel_view *view);

/* Whether datapath and announcements see a difference. */
bool kernel_view_equal(const struct kernel_view *a, const struct kernel_view *b);
