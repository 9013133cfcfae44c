/* SPDX-License-Identifier: BSD-3-Clause */

/* Forwarding in a pod, towards its guests: from the uplink, and from the host port. */
#include "switch/datapath/pod_frame.h"
#include "switch/datapath/responder.h"

/* --- who it is for ---------------------------------------------------------------------------- */

/* Addresses the frame to a guest, whose MAC need not be known for one that is for everybody. */
static struct pod_verdict deliver(const struct pod *pod, struct frame *f,
	const struct neigh_packet *p, uint16_t port, const struct mac *mac)
{
	if (mac_is_multicast(frame_dst(f)))
		return pod_to_port(port);
	if (mac_is_zero(mac))
		return pod_drop(DROP_UNBOUND);
	mac_rewrite_destination(f, p, &pod->mac, mac);
	return pod_to_port(port);
}

/* Whoever is bound to an address that is for this side of the uplink. */
static struct pod_verdict to_bound(const struct pod *pod, struct pod_worker *w, struct frame *f,
	const struct neigh_packet *p, const struct ip_addr *addr)
{
	struct binding b;

	if (!binding_find(pod->bindings, &w->bindings, addr, &b))
		return pod->mac_mode == MAC_MODE_ADOPT && pod->only_guest != POD_NO_PORT
			       ? pod_to_port(pod->only_guest)
			       : pod_drop(DROP_UNBOUND);
	if (b.origin == BINDING_SERVICE)
		return pod_drop(DROP_ISOLATED);
	return pod->mac_mode == MAC_MODE_ADOPT ? pod_to_port(b.port)
					       : deliver(pod, f, p, b.port, &b.mac);
}

/* --- from the uplink -------------------------------------------------------------------------- */

/* The identity and service addresses do not exist on the network. */
static bool is_inside(const struct pod *pod, struct pod_worker *w, const struct ip_addr *addr)
{
	struct binding b;

	if (pod_is_identity(pod, addr))
		return true;
	return binding_find(pod->bindings, &w->bindings, addr, &b) && b.origin == BINDING_SERVICE;
}

/* Whose address the packet tells. */
static const struct ip_addr *teller(const struct neigh_packet *p)
{
	return p->kind == NEIGH_ADVERT || p->kind == NEIGH_REDIRECT ? &p->target : &p->sender;
}

/* Stations of the network make themselves known. */
static void listen(const struct pod *pod, struct pod_worker *w, const struct frame *f,
	const struct neigh_packet *p, uint32_t now_s)
{
	const struct ip_addr *who = teller(p);

	if (pod->neighbour_mode != NEIGHBOURS_AUTO || mac_is_zero(&p->sender_mac) ||
		mac_is_multicast(&p->sender_mac) || !ip_addr_is_host(who))
		return;
	neigh_heard(pod->neighbours, &w->neighbours, who, &p->sender_mac,
		neigh_is_answer(p) && !mac_is_multicast(frame_dst(f)), now_s);
}

/*
 * With a guest's address nobody makes himself known there but by mistake, or to have what is sent
 * to the guest: that is for the guest alone, which may defend its address, and not learned.
 */
static struct pod_verdict neigh_from_uplink(const struct pod *pod, struct pod_worker *w,
	struct frame *f, const struct neigh_packet *p, uint32_t now_s)
{
	bool multicast = mac_is_multicast(frame_dst(f));
	struct ip_addr from, to;
	struct binding b;

	if (is_inside(pod, w, &p->target) || is_inside(pod, w, &p->sender))
		return pod_drop(DROP_ISOLATED);
	if (binding_find(pod->bindings, &w->bindings, teller(p), &b))
		return to_bound(pod, w, f, p, teller(p));
	listen(pod, w, f, p, now_s);
	if (neigh_is_question(p))
		return multicast && (neigh_is_probe(p) || ip_addr_equal(&p->sender, &p->target))
			       ? (struct pod_verdict) { .to = POD_GUESTS }
			       : to_bound(pod, w, f, p, &p->target);
	if (multicast)
		return (struct pod_verdict) { .to = POD_GUESTS };
	if (p->kind == NEIGH_ARP_REPLY)
		return to_bound(pod, w, f, p, &p->target);
	return pod_read_addrs(f, &from, &to) ? to_bound(pod, w, f, p, &to) : pod_drop(DROP_UNBOUND);
}

/* An answer to one of our guests' DHCP requests, wherever it is addressed to. */
static bool dhcp_from_uplink(const struct pod *pod, struct frame *f, struct pod_verdict *verdict)
{
	struct dhcp_message m;
	struct mac mac;
	uint16_t port;

	if (pod->mac_mode != MAC_MODE_SUBSTITUTE || !dhcp_parse(f, &m) || m.from_client ||
		!dhcp_clients_find(pod->dhcp, m.xid, &port, &mac) ||
		pod->port[port].role != PORT_ROLE_GUEST)
		return false;
	if (memcmp(f->head + m.chaddr_at, &pod->mac, sizeof(mac)) == 0)
		dhcp_set_chaddr(f, &m, &mac);
	*verdict = deliver(pod, f, NULL, port, &mac);
	return true;
}

static struct pod_verdict ip_from_uplink(
	const struct pod *pod, struct pod_worker *w, struct frame *f)
{
	struct ip_addr from, to;
	struct pod_verdict verdict;

	if (!pod_read_addrs(f, &from, &to))
		return pod_drop(DROP_UNBOUND);
	if (pod_is_identity(pod, &from) || pod_is_identity(pod, &to))
		return pod_drop(DROP_ISOLATED);
	if (pod_may_be_dhcp(f) && dhcp_from_uplink(pod, f, &verdict))
		return verdict;
	if (!mac_is_multicast(frame_dst(f)))
		return to_bound(pod, w, f, NULL, &to);
	/* A host may take what is for an address of its own from a broadcast frame, too. */
	return is_inside(pod, w, &to) ? pod_drop(DROP_ISOLATED)
				      : (struct pod_verdict) { .to = POD_GUESTS };
}

struct pod_verdict pod_from_uplink(
	const struct pod *pod, struct pod_worker *w, struct frame *f, uint32_t now_s)
{
	static const struct mac invented = POD_INVENTED_MAC;
	bool multicast = mac_is_multicast(frame_dst(f));
	struct neigh_packet p;

	if (mac_is_zero(&pod->mac))
		pod_set_src(f, &invented);
	else if (pod_mac_equal(frame_src(f), &pod->mac))
		return pod_drop(DROP_REFLECTED);
	if (!multicast && !pod_mac_equal(frame_dst(f), &pod->mac))
		return pod_drop(DROP_NOT_OURS);
	switch (pod_read_neigh(f, &p)) {
	case NEIGH_GOOD:
		return neigh_from_uplink(pod, w, f, &p, now_s);
	case NEIGH_BAD:
		return pod_drop(DROP_NEIGH_BAD);
	case NEIGH_OTHER:
		break;
	}
	if (pod_is_ip(f))
		return ip_from_uplink(pod, w, f);
	if (multicast)
		return (struct pod_verdict) { .to = POD_GUESTS };
	return pod->only_guest != POD_NO_PORT ? pod_to_port(pod->only_guest)
					      : pod_drop(DROP_UNBOUND);
}

/* --- from the host port ------------------------------------------------------------------------
 */

struct pod_verdict pod_from_host(
	const struct pod *pod, struct pod_worker *w, struct frame *f, uint32_t now_s)
{
	struct neigh_packet p;
	struct ip_addr from, to;
	struct binding b;

	if (pod_read_neigh(f, &p) == NEIGH_GOOD && neigh_is_question(&p))
		return responder_ask(pod, w, pod->host, &p, now_s);
	if (mac_is_multicast(frame_dst(f)) || !pod_read_addrs(f, &from, &to) ||
		!ip_addr_equal(&from, &pod->identity) ||
		!binding_find(pod->bindings, &w->bindings, &to, &b) ||
		b.origin != BINDING_SERVICE || mac_is_zero(&b.mac))
		return pod_drop(DROP_ISOLATED);
	pod_set_dst(f, &b.mac);
	return pod_to_port(b.port);
}
