/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/tap_redirect.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <netlink/netlink.h>
#include <netlink/route/act/mirred.h>
#include <netlink/route/action.h>
#include <netlink/route/classifier.h>
#include <netlink/route/cls/u32.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>

#include "launcher/pod/rtnl_socket.h"
#include "launcher/process/remove_ingress.h"

#define INGRESS  TC_HANDLE(0xffff, 0)
#define PRIORITY 0x51fe /* of nobody else's, we hope */

static int report(int nl_ret, const char *what, const char *interface, struct err *err)
{
	if (nl_ret >= 0)
		return 0;
	if (nl_ret == -NLE_PERM)
		return err_set(err, -EPERM, "%s %s: needs CAP_NET_ADMIN", what, interface);
	return err_set(err, -EIO, "%s %s: %s", what, interface, nl_geterror(nl_ret));
}

/* --- what is there --------------------------------------------------------------------------- */

/* 1: there is an ingress, ours or somebody's (clsact is one, too). 0, or an error of libnl's. */
static int has_ingress(struct nl_sock *sock, int ifindex)
{
	struct nl_cache *cache;
	struct rtnl_qdisc *found;
	int ret = rtnl_qdisc_alloc_cache(sock, &cache);

	if (ret < 0)
		return ret;
	found = rtnl_qdisc_get_by_parent(cache, ifindex, TC_H_INGRESS);
	ret = found != NULL;
	rtnl_qdisc_put(found);
	nl_cache_free(cache);
	return ret;
}

/* Where a filter of ours sends to; 0: nowhere any more. Its hash table is listed like a filter. */
static unsigned target_of(struct rtnl_cls *filter)
{
	struct rtnl_act *act = rtnl_u32_get_action(filter);
	const char *kind = act != NULL ? rtnl_tc_get_kind(TC_CAST(act)) : NULL;
	char name[IF_NAMESIZE];
	unsigned ifindex;

	if (kind == NULL || strcmp(kind, "mirred") != 0)
		return 0;
	ifindex = rtnl_mirred_get_ifindex(act);
	return if_indextoname(ifindex, name) != NULL ? ifindex : 0;
}

static bool is_predecessors(struct rtnl_cls *filter, unsigned tap)
{
	const char *kind = rtnl_tc_get_kind(TC_CAST(filter));
	unsigned target;

	if (kind == NULL || strcmp(kind, "u32") != 0 || rtnl_cls_get_prio(filter) != PRIORITY)
		return false;
	target = target_of(filter);
	return target == 0 || target == tap;
}

/* 1 or 0, or an error of libnl's. An empty ingress is not ours. */
static int all_are_predecessors(struct nl_sock *sock, int ifindex, unsigned tap)
{
	struct nl_cache *cache;
	int ret = rtnl_cls_alloc_cache(sock, ifindex, INGRESS, &cache);

	if (ret < 0)
		return ret;
	ret = nl_cache_get_first(cache) != NULL;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o))
		if (!is_predecessors((struct rtnl_cls *)o, tap))
			ret = 0;
	nl_cache_free(cache);
	return ret;
}

/* 0: nothing is in the way; 1: a predecessor's is. */
static int look(struct nl_sock *sock, const char *interface, const char *tap, struct err *err)
{
	int ifindex = (int)if_nametoindex(interface);
	int ret;

	if (ifindex == 0)
		return err_set(err, -ENODEV, "there is no interface %s", interface);
	ret = has_ingress(sock, ifindex);
	if (ret <= 0)
		return report(ret, "cannot look at the ingress of", interface, err);
	ret = all_are_predecessors(sock, ifindex, if_nametoindex(tap));
	if (ret == 0)
		return err_set(err, -EBUSY,
			"datapath: tap: there is something on the ingress of %s already (tc filter "
			"show dev %s ingress): remove it, or set datapath to vhost-user",
			interface, interface);
	return ret > 0 ? 1 : report(ret, "cannot look at the ingress of", interface, err);
}

/* --- what is set ----------------------------------------------------------------------------- */

static int add_qdisc(struct nl_sock *sock, int ifindex)
{
	struct rtnl_qdisc *qdisc = rtnl_qdisc_alloc();
	int ret = -NLE_NOMEM;

	if (qdisc == NULL)
		return ret;
	rtnl_tc_set_ifindex(TC_CAST(qdisc), ifindex);
	rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_INGRESS);
	rtnl_tc_set_handle(TC_CAST(qdisc), INGRESS);
	ret = rtnl_tc_set_kind(TC_CAST(qdisc), "ingress");
	if (ret == 0)
		ret = rtnl_qdisc_add(sock, qdisc, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_qdisc_put(qdisc);
	return ret;
}

static struct rtnl_act *make_redirect(unsigned to)
{
	struct rtnl_act *act = rtnl_act_alloc();

	if (act == NULL)
		return NULL;
	if (rtnl_tc_set_kind(TC_CAST(act), "mirred") == 0 &&
		rtnl_mirred_set_action(act, TCA_EGRESS_REDIR) == 0 &&
		rtnl_mirred_set_policy(act, TC_ACT_STOLEN) == 0 &&
		rtnl_mirred_set_ifindex(act, to) == 0)
		return act;
	rtnl_act_put(act);
	return NULL;
}

static int describe_filter(struct rtnl_cls *filter, int ifindex, struct rtnl_act *act)
{
	int ret;

	rtnl_tc_set_ifindex(TC_CAST(filter), ifindex);
	rtnl_tc_set_parent(TC_CAST(filter), INGRESS);
	ret = rtnl_tc_set_kind(TC_CAST(filter), "u32");
	if (ret < 0)
		return ret;
	rtnl_cls_set_prio(filter, PRIORITY);
	rtnl_cls_set_protocol(filter, ETH_P_ALL);
	/* Of the Ethernet header, which every frame has. */
	ret = rtnl_u32_add_key_uint32(filter, 0, 0, -ETH_HLEN, 0);
	if (ret == 0)
		ret = rtnl_u32_set_cls_terminal(filter);
	return ret == 0 ? rtnl_u32_add_action(filter, act) : ret;
}

static int add_filter(struct nl_sock *sock, int ifindex, unsigned to)
{
	struct rtnl_cls *filter = rtnl_cls_alloc();
	struct rtnl_act *act = make_redirect(to);
	int ret = -NLE_NOMEM;

	if (filter != NULL && act != NULL)
		ret = describe_filter(filter, ifindex, act);
	if (ret == 0)
		ret = rtnl_cls_add(sock, filter, NLM_F_CREATE | NLM_F_EXCL);
	if (act != NULL)
		rtnl_act_put(act);
	rtnl_cls_put(filter);
	return ret;
}

static int redirect(struct nl_sock *sock, const char *from, const char *to, struct err *err)
{
	int ifindex = (int)if_nametoindex(from);
	int ret = add_qdisc(sock, ifindex);

	if (ret < 0)
		return report(ret, "cannot have the ingress of", from, err);
	ret = add_filter(sock, ifindex, if_nametoindex(to));
	if (ret < 0)
		(void)remove_ingress(from);
	return report(ret, "cannot redirect what comes in by", from, err);
}

static int replace(struct nl_sock *sock, struct tap_redirect *r, struct err *err)
{
	int ret = look(sock, r->interface, r->tap, err);

	if (ret > 0)
		ret = remove_ingress(r->interface);
	if (ret == 0)
		ret = remove_ingress(r->tap);
	if (ret == 0)
		ret = redirect(sock, r->tap, r->interface, err);
	/* Last, as from here on the pod's kernel is deaf. */
	return ret == 0 ? redirect(sock, r->interface, r->tap, err) : ret;
}

/* --- either ---------------------------------------------------------------------------------- */

int tap_redirect_check(const char *interface, const char *tap, struct err *err)
{
	struct nl_sock *sock;
	int ret = report(rtnl_socket_open(&sock), "cannot ask about", interface, err);

	if (ret == 0)
		ret = look(sock, interface, tap, err);
	nl_socket_free(sock);
	return ret < 0 ? ret : 0;
}

int tap_redirect_set(
	struct tap_redirect *redirect, const char *interface, const char *tap, struct err *err)
{
	struct nl_sock *sock;
	int ret = report(rtnl_socket_open(&sock), "cannot ask about", interface, err);

	*redirect = (struct tap_redirect) { .ifindex = if_nametoindex(interface) };
	snprintf(redirect->interface, sizeof(redirect->interface), "%s", interface);
	snprintf(redirect->tap, sizeof(redirect->tap), "%s", tap);
	if (ret == 0)
		ret = replace(sock, redirect, err);
	nl_socket_free(sock);
	return ret;
}

int tap_redirect_keep_up(struct tap_redirect *redirect, struct err *err)
{
	const struct tap_redirect was = *redirect;
	unsigned ifindex = if_nametoindex(was.interface);
	int ret;

	if (ifindex == 0 || ifindex == was.ifindex)
		return 0;
	ret = tap_redirect_set(redirect, was.interface, was.tap, err);
	return if_nametoindex(was.interface) == 0 ? 0 : ret;
}

int tap_redirect_remove(const struct tap_redirect *redirect, struct err *err)
{
	int ret = remove_ingress(redirect->interface);

	return ret < 0 ? err_errno(err, -ret, "cannot free the ingress of %s", redirect->interface)
		       : 0;
}
