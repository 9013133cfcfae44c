/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The pod's network without a switch (`datapath: tap`): the kernel passes what comes in by the
 * pod's interface to the VM's TAP (tap_link.h), and what the guest sends there out by that
 * interface, by a filter of tc(8) on the ingress of either that takes every frame.
 *
 *      wire --> eth0 ingress ==> slt-NAME --> guest
 *      wire <-- eth0         <== slt-NAME ingress <-- guest
 *
 * Why no bridge, which is what one would think of first: a bridge takes the MAC addresses of its
 * ports for its own, and so the guest could have the pod's, which the network expects of it, only
 * if eth0 got another; and eth0's addresses and routes would be dead, or would have to move. So
 * eth0 keeps all it has, and only its ingress is ours while the VM is there.
 *
 * The filter comes before netfilter and all protocols, and behind packet sockets: the pod's kernel
 * sees nothing of what comes in, nor of what the guest sends, so no guard is needed. What it sends
 * itself goes out as ever, and the answers to the guest. Frames stay as they are, super-frames and
 * all, if the VMM has told the TAP that it takes them.
 *
 * The filter is u32's with a mask of zero, as not every kernel has matchall; its priority is what
 * tells ours from others'. The ingress outlives its maker: the keeper removes it behind one who was
 * killed (keeper_add_ingress()).
 *
 * Thread-safety: main thread.
 */

#include <net/if.h>

#include "lib/err.h"

struct tap_redirect {
	char interface[IF_NAMESIZE];
	char tap[IF_NAMESIZE];
	unsigned ifindex; /* of the interface that it is set on */
};

/*
 * Whether it can be set, which changes nothing: -EBUSY: somebody has something on the interface's
 * ingress, which may be a living VM's redirection to another TAP; ours to this one, or to none any
 * more, is a predecessor's, and replaced. `tap` may be one that is not there.
 */
int tap_redirect_check(const char *interface, const char *tap, struct err *err);

/* Sets it, between interfaces that are there. -EBUSY as above; -EPERM: needs CAP_NET_ADMIN. */
int tap_redirect_set(
	struct tap_redirect *redirect, const char *interface, const char *tap, struct err *err);

/* After news of links (link_news.h): the interface may be another by the same name. If it has just
 * gone again, there will be news of that. */
int tap_redirect_keep_up(struct tap_redirect *redirect, struct err *err);

/* What comes in is the pod's again. 0 also if it is not set. */
int tap_redirect_remove(const struct tap_redirect *redirect, struct err *err);
