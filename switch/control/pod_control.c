/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/pod_control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "switch/control/switch.h"

#define BINDINGS   36864 /* reserved addresses are counted */
#define NEIGHBOURS 32768 /* twice the static ones a configuration may have */

static const struct port_config *uplink_config(const struct sluiced_config *config)
{
	for (size_t i = 0; i < config->n_ports; i++)
		if (config->ports[i].role == PORT_ROLE_UPLINK)
			return &config->ports[i];
	return NULL;
}

/* --- the policy ------------------------------------------------------------------------------- */

static void add_port(struct pod *pod, const struct port *p, const struct port_config *c)
{
	struct pod_port *port = &pod->port[p->id];

	*port = (struct pod_port) {
		.role = c->role,
		.anti_spoof = c->anti_spoof != ANTI_SPOOF_OFF,
		.point_to_point = c->point_to_point,
	};
	if (c->role == PORT_ROLE_UPLINK) {
		pod->uplink = p->id;
	} else if (c->role == PORT_ROLE_HOST) {
		pod->host = p->id;
		pod->host_mac = c->mac;
		pod->identity = c->addresses[0];
	}
}

static void count_guests(struct pod *pod, const struct sluice_switch *sw)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sw->n_ports; i++) {
		uint16_t id = sw->port[i]->id;

		if (pod->port[id].role != PORT_ROLE_GUEST)
			continue;
		pod->only_guest = n++ == 0 ? id : POD_NO_PORT;
	}
}

/* What the kernel, and the uplink's settings, say of the network. */
static void add_network(struct pod *pod, const struct sluice_switch *sw)
{
	const struct port_config *c = uplink_config(&sw->config);
	const struct kernel_view *view = &sw->pod.view;

	pod->mac_mode = c->mac_mode;
	pod->neighbour_mode = c->neighbours;
	pod->mac = mac_is_zero(&c->mac) ? view->link.mac : c->mac;
	/* Nobody can adopt an address that is none. */
	if (mac_is_zero(&pod->mac))
		pod->mac_mode = MAC_MODE_SUBSTITUTE;
	pod->n_kernel_addrs = view->n_addrs;
	memcpy(pod->kernel_addr, view->addr, sizeof(pod->kernel_addr));
	pod->n_gateways = view->n_gateways;
	memcpy(pod->gateway, view->gateway, sizeof(pod->gateway));
}

int pod_control_policy(const struct sluice_switch *sw, struct pod **out)
{
	struct pod *pod;

	*out = NULL;
	if (!sluiced_config_is_pod(&sw->config))
		return 0;
	pod = calloc(1, sizeof(*pod));
	if (!pod)
		return -ENOMEM;
	pod->uplink = pod->host = pod->only_guest = POD_NO_PORT;
	for (unsigned i = 0; i < sw->n_ports; i++) {
		const struct port_config *c = switch_port_config(sw, sw->port[i]->name);

		if (c)
			add_port(pod, sw->port[i], c);
	}
	count_guests(pod, sw);
	add_network(pod, sw);
	pod->bindings = sw->pod.bindings;
	pod->neighbours = sw->pod.neighbours;
	pod->dhcp = sw->pod.dhcp;
	*out = pod;
	return 0;
}

/* --- neighbours ------------------------------------------------------------------------------- */

static int by_ip(const struct kernel_neighbour *a, const struct kernel_neighbour *b)
{
	return memcmp(&a->ip, &b->ip, sizeof(a->ip));
}

static int by_ip_and_origin(const void *a, const void *b)
{
	const struct kernel_neighbour *x = a, *y = b;
	int order = by_ip(x, y);

	return order != 0 ? order : x->from_kernel - y->from_kernel;
}

/* The configuration's static neighbours and, where those do not say otherwise, the kernel's;
 * sorted. NULL when memory is short. */
static struct kernel_neighbour *wanted_neighbours(const struct sluice_switch *sw, size_t *n)
{
	const struct sluiced_config *c = &sw->config;
	const struct kernel_view *view = &sw->pod.view;
	size_t n_all = c->n_neighbour_static, kept = 0;
	struct kernel_neighbour *all = calloc(n_all + view->n_permanent + 1, sizeof(*all));

	if (!all)
		return NULL;
	for (size_t i = 0; i < n_all; i++) {
		all[i].ip = c->neighbour_static[i].ip;
		all[i].mac = c->neighbour_static[i].mac;
	}
	for (size_t i = 0; i < view->n_permanent; i++)
		all[n_all++] = view->permanent[i];
	qsort(all, n_all, sizeof(*all), by_ip_and_origin);
	for (size_t i = 0; i < n_all; i++)
		if (kept == 0 || by_ip(&all[kept - 1], &all[i]) != 0)
			all[kept++] = all[i];
	*n = kept;
	return all;
}

static void forget_neighbour(struct pod_control *pc, const struct kernel_neighbour *n)
{
	(void)neigh_unset_permanent(pc->neighbours, &n->ip);
	bindings_unreserve(pc->bindings, &n->ip);
}

static void add_neighbour(struct pod_control *pc, const struct kernel_neighbour *n)
{
	char ip[IP_ADDR_TEXT_MAX];

	if (neigh_set_permanent(pc->neighbours, &n->ip, &n->mac) < 0)
		log_limited(LOG_LEVEL_ERROR, "no room for a neighbour",
			log_str("ip", ip_addr_format(&n->ip, ip)));
	(void)bindings_reserve(pc->bindings, &n->ip);
}

/* Goes through what is and what is to be, both sorted, side by side. */
static void sync_neighbours(struct sluice_switch *sw)
{
	struct pod_control *pc = &sw->pod;
	size_t n, i = 0, k = 0;
	struct kernel_neighbour *want = wanted_neighbours(sw, &n);

	if (!want) {
		log_error("out of memory: neighbours stay as they are");
		return;
	}
	while (i < pc->n_permanent || k < n) {
		int order = i == pc->n_permanent ? 1
			    : k == n             ? -1
						 : by_ip(&pc->permanent[i], &want[k]);

		if (order < 0) {
			forget_neighbour(pc, &pc->permanent[i++]);
			continue;
		}
		add_neighbour(pc, &want[k++]);
		i += order == 0;
	}
	free(pc->permanent);
	pc->permanent = want;
	pc->n_permanent = n;
}

static void mark_gateways(struct pod_control *pc, const struct kernel_view *view, bool gateway)
{
	for (unsigned i = 0; i < view->n_gateways; i++) {
		(void)neigh_set_gateway(pc->neighbours, &view->gateway[i], gateway);
		if (gateway)
			(void)bindings_reserve(pc->bindings, &view->gateway[i]);
		else
			bindings_unreserve(pc->bindings, &view->gateway[i]);
	}
}

/* --- bindings --------------------------------------------------------------------------------- */

static bool has_addr(const struct ip_addr *list, unsigned n, const struct ip_addr *ip)
{
	for (unsigned i = 0; i < n; i++)
		if (ip_addr_equal(&list[i], ip))
			return true;
	return false;
}

/* Whether the configuration still says what the row does. */
static bool is_configured(const struct sluice_switch *sw, const struct binding_row *row)
{
	const struct port *p = sw->topology->by_id[row->binding.port];
	const struct port_config *c = p ? switch_port_config(sw, p->name) : NULL;

	if (!c || c->role != PORT_ROLE_GUEST)
		return false;
	return row->binding.origin == BINDING_SERVICE
		       ? has_addr(c->services, c->n_services, &row->addr)
		       : has_addr(c->addresses, c->n_addresses, &row->addr);
}

static void remove_stale(struct sluice_switch *sw)
{
	struct binding_row row;
	uint32_t cursor = 0;

	while (bindings_next(sw->pod.bindings, &cursor, &row))
		if (row.binding.origin != BINDING_LEARNED && !is_configured(sw, &row))
			(void)bindings_del(sw->pod.bindings, &row.addr);
}

static void bind_addr(struct sluice_switch *sw, const struct port *p, const struct ip_addr *ip,
	enum binding_origin origin, const struct mac *mac)
{
	char text[IP_ADDR_TEXT_MAX];

	if (bindings_add(sw->pod.bindings, ip, p->id, origin, mac) < 0)
		log_error("no room for an address", log_str("ip", ip_addr_format(ip, text)),
			log_str("port", p->name));
}

/* The one MAC address a guest may have, or zero: any. */
static struct mac fixed_mac(const struct sluice_switch *sw, const struct port_config *c)
{
	static const struct mac any;

	if (c->anti_spoof == ANTI_SPOOF_OFF ||
		uplink_config(&sw->config)->mac_mode != MAC_MODE_SUBSTITUTE)
		return any;
	return c->mac;
}

static void sync_bindings(struct sluice_switch *sw)
{
	remove_stale(sw);
	for (unsigned i = 0; i < sw->n_ports; i++) {
		const struct port *p = sw->port[i];
		const struct port_config *c = switch_port_config(sw, p->name);
		struct mac mac;

		if (!c || c->role != PORT_ROLE_GUEST)
			continue;
		mac = fixed_mac(sw, c);
		bindings_set_limit(sw->pod.bindings, p->id, c->binding_limit);
		bindings_set_told(sw->pod.bindings, p->id, &c->mac);
		for (unsigned a = 0; a < c->n_addresses; a++)
			bind_addr(sw, p, &c->addresses[a], BINDING_CONFIGURED, &mac);
		for (unsigned a = 0; a < c->n_services; a++)
			bind_addr(sw, p, &c->services[a], BINDING_SERVICE, &mac);
	}
}

void pod_control_sync(struct sluice_switch *sw)
{
	if (!sw->pod.bindings || !sluiced_config_is_pod(&sw->config))
		return;
	sync_bindings(sw);
	sync_neighbours(sw);
	mark_gateways(&sw->pod, &sw->pod.view, true);
}

void pod_control_forget_port(struct sluice_switch *sw, uint16_t port)
{
	if (sw->pod.bindings)
		bindings_forget_port(sw->pod.bindings, port);
}

void pod_control_forget_guest(struct sluice_switch *sw, uint16_t port)
{
	if (sw->pod.bindings)
		bindings_forget_guest(sw->pod.bindings, port);
}

/* --- the kernel's view ------------------------------------------------------------------------ */

/*
 * An uplink that is no network interface has what its configuration says. False: the kernel did not
 * tell, which says nothing of the network; it is asked again in a moment.
 */
static bool read_view(struct sluice_switch *sw, struct kernel_view *view)
{
	const struct port_config *c = uplink_config(&sw->config);

	*view = (struct kernel_view) { 0 };
	if (!c || c->kind != PORT_KIND_PACKET || kernel_net_read(c->interface, view) == 0)
		return true;
	log_limited(LOG_LEVEL_WARN, "cannot read the network of the uplink",
		log_str("interface", c->interface));
	kernel_net_look_again(&sw->pod.kernel);
	return false;
}

/* Workers that see the new view may decide by it before the tables are in step: for a moment a
 * question goes to the network that could have been answered. */
static void on_network_change(void *ctx)
{
	struct sluice_switch *sw = ctx;
	struct kernel_view view, before = sw->pod.view;
	struct err err = { "" };

	if (!sluiced_config_is_pod(&sw->config))
		return;
	if (!read_view(sw, &view))
		return;
	if (kernel_view_equal(&view, &before)) {
		kernel_view_free(&view);
		return;
	}
	mark_gateways(&sw->pod, &before, false);
	sw->pod.view = view;
	if (switch_publish(sw, &err) < 0)
		log_error(
			"the network has changed, the switch has not", log_str("reason", err.text));
	if (before.link.ifindex != view.link.ifindex)
		neigh_flush(sw->pod.neighbours);
	pod_control_sync(sw);
	kernel_view_free(&before);
}

/* --- start and stop --------------------------------------------------------------------------- */

static int open_tables(struct sluice_switch *sw, struct err *err)
{
	struct pod_control *pc = &sw->pod;

	pc->dhcp = calloc(1, sizeof(*pc->dhcp));
	pc->bindings = pc->dhcp ? bindings_new(BINDINGS, sw->qsbr, err) : NULL;
	pc->neighbours = pc->bindings ? neigh_cache_new(NEIGHBOURS, sw->qsbr, err) : NULL;
	if (pc->neighbours)
		return 0;
	if (!pc->dhcp)
		err_set(err, -ENOMEM, "out of memory");
	bindings_free(steal_ptr(&pc->bindings));
	free(steal_ptr(&pc->dhcp));
	return -ENOMEM;
}

int pod_control_prepare(struct sluice_switch *sw, const struct sluiced_config *to, struct err *err)
{
	int ret = 0;

	if (!sluiced_config_is_pod(to))
		return 0;
	if (!sw->pod.neighbours)
		ret = open_tables(sw, err);
	if (ret == 0 && !sw->pod.kernel.events)
		ret = kernel_net_open(&sw->pod.kernel, sw->base, on_network_change, sw, err);
	return ret;
}

void pod_control_look(struct sluice_switch *sw)
{
	if (!sw->pod.bindings)
		return;
	mark_gateways(&sw->pod, &sw->pod.view, false);
	kernel_view_free(&sw->pod.view);
	(void)read_view(sw, &sw->pod.view);
}

void pod_control_stop(struct sluice_switch *sw)
{
	struct pod_control *pc = &sw->pod;

	kernel_net_close(&pc->kernel);
	kernel_view_free(&pc->view);
	free(pc->permanent);
	bindings_free(pc->bindings);
	neigh_cache_free(pc->neighbours);
	free(pc->dhcp);
	*pc = (struct pod_control) { 0 };
}

void pod_control_tick(struct sluice_switch *sw)
{
	if (!sw->pod.bindings || !sluiced_config_is_pod(&sw->config))
		return;
	(void)bindings_expire(sw->pod.bindings, switch_now_s(sw));
	(void)neigh_expire(sw->pod.neighbours, switch_now_s(sw));
	pod_voice_tick(sw);
}
