/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/pod_voice.h"

#include "switch/control/switch.h"
#include "switch/datapath/neigh_packet.h"

/* The uplink, if it is one to speak on. */
static struct port *stage(const struct sluice_switch *sw)
{
	const struct pod *pod = sw->topology->pod;
	struct port *uplink =
		pod && pod->uplink != POD_NO_PORT ? sw->topology->by_id[pod->uplink] : NULL;
	const struct port_config *c = uplink ? switch_port_config(sw, uplink->name) : NULL;

	return c && c->kind != PORT_KIND_VHOST_USER && !mac_is_zero(&pod->mac) ? uplink : NULL;
}

static void say(struct port *uplink, struct frame *f)
{
	uplink->ops->transmit(uplink, 0, &f, 1, port_control_counters(uplink));
}

/* --- announcing ------------------------------------------------------------------------------- */

/* Begins again with an address that has moved. */
static void note(struct pod_voice *voice, const struct ip_addr *ip)
{
	unsigned i = 0;

	while (i < voice->n && !ip_addr_equal(&voice->address[i].ip, ip))
		i++;
	voice->address[i].ip = *ip;
	voice->address[i].left = POD_VOICE_TIMES;
	voice->n += i == voice->n;
}

static void announce(struct sluice_switch *sw, struct port *uplink)
{
	struct pod_voice *voice = &sw->pod.voice;
	struct binding_row row;
	unsigned kept = 0;

	/* Addresses that only the host port knows are nobody else's business. */
	while (voice->n < POD_VOICE_MAX && bindings_next_news(sw->pod.bindings, &row))
		if (row.binding.origin != BINDING_SERVICE)
			note(voice, &row.addr);
	for (unsigned i = 0; i < voice->n; i++) {
		struct frame f;

		neigh_make_announcement(&f, &sw->topology->pod->mac, &voice->address[i].ip);
		say(uplink, &f);
		if (--voice->address[i].left > 0)
			voice->address[kept++] = voice->address[i];
	}
	voice->n = kept;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* An address to ask from: of the same family and, for a link-local gateway, link-local. */
static struct ip_addr asker(const struct pod *pod, const struct ip_addr *gateway)
{
	struct ip_addr none = { { 0 } };

	for (unsigned i = 0; i < pod->n_kernel_addrs; i++)
		if (ip_addr_is_v4(&pod->kernel_addr[i]) == ip_addr_is_v4(gateway) &&
			ip_addr_is_link_local(&pod->kernel_addr[i]) ==
				ip_addr_is_link_local(gateway))
			return pod->kernel_addr[i];
	if (ip_addr_is_v4(gateway))
		none.byte[10] = none.byte[11] = 0xff;
	return none;
}

static bool is_due(const struct sluice_switch *sw, const struct neigh_row *row)
{
	if (!row->neighbour.gateway || row->neighbour.permanent)
		return false;
	return mac_is_zero(&row->neighbour.mac) ||
	       (int32_t)(switch_now_s(sw) - row->seen_s) > POD_VOICE_AGAIN_S;
}

static void ask(struct sluice_switch *sw, struct port *uplink)
{
	const struct pod *pod = sw->topology->pod;
	struct neigh_row row;
	uint32_t cursor = 0;

	while (neigh_next(sw->pod.neighbours, &cursor, &row)) {
		struct ip_addr from;
		struct frame f;

		if (!is_due(sw, &row))
			continue;
		from = asker(pod, &row.addr);
		neigh_make_question(&f, &pod->mac, &from, &row.addr, NULL);
		say(uplink, &f);
	}
}

void pod_voice_tick(struct sluice_switch *sw)
{
	struct port *uplink = stage(sw);

	if (!uplink)
		return;
	announce(sw, uplink);
	if (sw->topology->pod->neighbour_mode == NEIGHBOURS_AUTO)
		ask(sw, uplink);
}
