/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/pod_guard.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "launcher/pod/guard_holder.h"
#include "launcher/pod/host_link.h"

/* Where no guard can be set (for the reason in *err, whose code is `reason`), it is well if none is
 * needed. */
static int do_without(const struct pod_guard *pg, int reason, struct err *err)
{
	if (pg->plan.host_port || pg->plan.mode == GUARD_REDIRECT)
		return reason == -EPERM
			       ? err_set(err, reason, "%s needs CAP_NET_ADMIN",
					 pg->plan.host_port ? "--host-port" : "datapath: tap")
			       : reason;
	if (pg->plan.mode == GUARD_OFF || pg->options.outside_guard || !pg->uplink.has_address)
		return 0;
	if (reason != -EPERM)
		return reason;
	return err_set(err, reason,
		"without CAP_NET_ADMIN there is no guard, and the pod's kernel would reset the "
		"VM's "
		"connections: grant it, or set a guard from outside and say --outside-guard");
}

/* 0: go on, with a guard or, if *may_set is false, without. */
static int look_around(struct pod_guard *pg, bool *may_set, struct err *err)
{
	char who[GUARD_HOLDER_TEXT_MAX];
	struct guard_holder holder;
	int ret = guard_look_at_interface(pg->plan.interface, &pg->uplink, err);

	/* Before all that one could do without: who needs no guard may not be here, either. */
	if (ret == 0 && !pg->options.lab)
		ret = guard_check_namespace(err);
	if (ret == 0 && pg->plan.mode == GUARD_SHARED)
		ret = guard_check_ephemeral_ports(err);
	if (ret < 0)
		return ret;
	ret = guard_find_holder(&holder, err);
	*may_set = ret == 0;
	if (ret < 0)
		return do_without(pg, ret, err);
	if (holder.owned)
		return err_set(err, -EBUSY, "there is a guard, held by %s",
			guard_holder_format(&holder, who));
	return 0;
}

static int create_host_port(struct pod_guard *pg, struct err *err)
{
	const struct host_link link = { .identity = pg->plan.identity,
		.service = pg->plan.service,
		.n_services = pg->plan.n_services,
		.mtu = pg->uplink.mtu };
	int ret = host_link_create(&link, err);

	pg->host_port = ret == 0;
	return ret;
}

int pod_guard_start(struct pod_guard *pg, const struct guard_plan *plan,
	const struct pod_guard_options *options, struct err *err)
{
	bool may_set;
	int ret;

	*pg = (struct pod_guard) { .options = *options, .plan = *plan };
	ret = look_around(pg, &may_set, err);
	if (ret < 0 || !may_set)
		return ret;
	pg->plan.pod_mac = pg->uplink.mac;
	if (plan->host_port)
		ret = create_host_port(pg, err);
	if (ret == 0 && !options->outside_guard)
		ret = guard_hold(&pg->plan, false, &pg->guard, err);
	if (ret < 0)
		(void)pod_guard_stop(pg, NULL);
	return ret;
}

int pod_guard_stop(struct pod_guard *pg, struct err *err)
{
	bool host_port = pg->host_port;

	guard_release(pg->guard);
	pg->guard = NULL;
	pg->host_port = false;
	return host_port ? host_link_remove(err) : 0;
}

static int change(struct pod_guard *pg, const struct guard_plan *plan, struct err *err)
{
	int ret = guard_update(pg->guard, plan, err);

	if (ret == 0)
		pg->plan = *plan;
	return ret;
}

int pod_guard_keep_up(struct pod_guard *pg, struct err *err)
{
	struct guard_plan plan = pg->plan;
	struct guard_interface now;
	int ret;

	if (pg->guard == NULL || guard_look_at_interface(plan.interface, &now, NULL) < 0 ||
		(now.ifindex == pg->uplink.ifindex &&
			memcmp(&now.mac, &pg->uplink.mac, sizeof(now.mac)) == 0))
		return 0;
	plan.pod_mac = now.mac;
	ret = change(pg, &plan, err);
	if (ret == 0)
		pg->uplink = now;
	return if_nametoindex(plan.interface) == 0 ? 0 : ret;
}

int pod_guard_set_ports(struct pod_guard *pg, const struct l4_ports *kernel_ports, struct err *err)
{
	struct guard_plan plan = pg->plan;

	plan.kernel_ports = *kernel_ports;
	return pg->guard != NULL ? change(pg, &plan, err) : 0;
}

const char *pod_guard_describe(const struct pod_guard *pg)
{
	if (pg->plan.mode == GUARD_OFF)
		return "is not guarded (--mode off)";
	if (pg->options.outside_guard)
		return "is guarded from outside (--outside-guard)";
	if (pg->guard == NULL)
		return "has no address and so needs no guard";
	if (!guard_is_owned(pg->guard))
		return "is guarded, and would still be if this process were killed (old kernel)";
	return "is guarded for as long as this process lives";
}
