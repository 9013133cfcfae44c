/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * An interface of ours in the pod, by which the pod's kernel says nothing of its own accord: it
 * answers ARP as little as is said, has no IPv6 address, forwards nothing that comes in by it, and
 * takes no source address whose route does not lead back (rp_filter). All of it is set by
 * rtnetlink, as /proc/sys is read-only in most containers.
 */

#include <stdint.h>

/* Values of net.ipv4.conf.*.arp_ignore. */
#define ARP_IGNORE_ALL_BUT_OWN 1
#define ARP_IGNORE_ALL         8

struct nl_sock;

/* Has it so, and brings it up. 0 or an error of libnl's. */
int quiet_link_up(struct nl_sock *sock, const char *name, uint32_t arp_ignore);
