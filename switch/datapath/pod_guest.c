/* SPDX-License-Identifier: BSD-3-Clause */

/* Forwarding in a pod, from a guest: is it the guest's own, and where does it go? */
#include "switch/datapath/pod_frame.h"
#include "switch/datapath/responder.h"

#define ICMP6_MLD_FIRST   130
#define ICMP6_MLD2_REPORT 143

#define ETHERTYPE_MIN 0x0600 /* less is a length: IEEE 802.3 */
#define LLC_SNAP_LEN  8

/* A guest that speaks: what it may say is asked for every address it uses. */
struct speaker {
	const struct pod *pod;
	struct pod_worker *w;
	uint16_t port;
	const struct mac *mac;
	uint32_t now_s;
};

/* Whether the guest may use the address, which may be learned from this. */
static bool owns(const struct speaker *s, const struct ip_addr *addr)
{
	if (pod_is_identity(s->pod, addr))
		return false;
	return binding_check(s->pod->bindings, &s->w->bindings, addr, s->port, s->mac, s->now_s);
}

/* Any guest's. */
static bool is_service(const struct speaker *s, const struct ip_addr *addr)
{
	struct binding b;

	return binding_find(s->pod->bindings, &s->w->bindings, addr, &b) &&
	       b.origin == BINDING_SERVICE;
}

/* --- where to --------------------------------------------------------------------------------- */

/* Whether it is the address of a station on the network's side, the one that has the IP address
 * `to` (or NULL) or a gateway. */
static bool is_station(const struct speaker *s, const struct mac *mac, const struct ip_addr *to)
{
	static const struct mac invented = POD_INVENTED_MAC;
	const struct pod *pod = s->pod;
	struct neighbour n;

	if (mac_is_zero(&pod->mac))
		return pod_mac_equal(mac, &invented);
	if (to && neigh_find(pod->neighbours, &s->w->neighbours, to, &n) &&
		pod_mac_equal(mac, &n.mac))
		return true;
	for (unsigned i = 0; i < pod->n_gateways; i++)
		if (neigh_find(pod->neighbours, &s->w->neighbours, &pod->gateway[i], &n) &&
			pod_mac_equal(mac, &n.mac))
			return true;
	return false;
}

/*
 * To whoever has the destination MAC address; `to` is the IP address it is for, or NULL. Any guest
 * may send from any MAC address, a gateway's or another guest's, and so have it learned where it is
 * not. IP addresses it cannot take, and the neighbours' MACs are not learned from guests: what
 * those tell comes first.
 */
static struct pod_verdict forward(
	const struct speaker *s, const struct frame *f, const struct ip_addr *to)
{
	const struct pod *pod = s->pod;
	bool multicast = mac_is_multicast(frame_dst(f));
	struct binding b;

	if (pod->only_guest != POD_NO_PORT)
		return (struct pod_verdict) { .to = multicast ? POD_FLOOD : POD_NETWORK };
	if (to && binding_find(pod->bindings, &s->w->bindings, to, &b) && b.port != s->port) {
		if (b.origin == BINDING_SERVICE)
			return pod_drop(DROP_ISOLATED);
		if (pod_mac_equal(&b.mac, frame_dst(f)))
			return pod_to_port(b.port);
	}
	if (multicast)
		return (struct pod_verdict) { .to = POD_FLOOD };
	return is_station(s, frame_dst(f), to) ? pod_to_port(pod->uplink)
					       : (struct pod_verdict) { .to = POD_NETWORK };
}

/* --- those without an address yet --------------------------------------------------------------
 */

static bool is_dhcp_request(struct frame *f)
{
	struct dhcp_message m;

	return pod_may_be_dhcp(f) && dhcp_parse(f, &m) && m.from_client;
}

/* Group membership reports may come before the address is settled (RFC 3810, 5.2.13). */
static bool is_mld(struct frame *f)
{
	struct ip_packet ip;
	uint8_t type;

	if (!ip_parse(f, f->l3_offset, f->ethertype, &ip) || !ip.v6 ||
		ip.proto != IP_PROTO_ICMPV6 || ip.l4 >= f->head_len)
		return false;
	type = f->head[ip.l4];
	return (type >= ICMP6_MLD_FIRST && type < ICMP6_ROUTER_SOLICIT) ||
	       type == ICMP6_MLD2_REPORT;
}

/* --- ARP and ND ------------------------------------------------------------------------------- */

/* Whether everything that the packet says of its sender is the guest's own. */
static bool tells_truth(const struct speaker *s, const struct neigh_packet *p)
{
	if (p->kind == NEIGH_ROUTER_ADVERT || p->kind == NEIGH_REDIRECT)
		return false;
	if (p->has_mac && !pod_mac_equal(&p->sender_mac, s->mac))
		return false;
	if (!ip_addr_is_unspecified(&p->sender) && !owns(s, &p->sender))
		return false;
	return p->kind != NEIGH_ADVERT || owns(s, &p->target);
}

/* The IP address that the packet is for. */
static struct ip_addr recipient(const struct frame *f, const struct neigh_packet *p)
{
	struct ip_addr from, to = p->target;

	if (!neigh_is_question(p) && p->kind != NEIGH_ARP_REPLY)
		(void)pod_read_addrs(f, &from, &to);
	return to;
}

/*
 * Whether the pod's kernel gives the same answer: it does to whoever asks from the network for an
 * address that it has, and the network shall hear one.
 */
static bool kernel_answers(const struct speaker *s, const struct frame *f,
	const struct neigh_packet *p, const struct ip_addr *to)
{
	const struct ip_addr *subject = p->kind == NEIGH_ADVERT ? &p->target : &p->sender;
	const struct pod *pod = s->pod;
	struct binding b;

	if (!neigh_is_answer(p) || mac_is_multicast(frame_dst(f)) ||
		binding_find(pod->bindings, &s->w->bindings, to, &b))
		return false;
	for (unsigned i = 0; i < pod->n_kernel_addrs; i++)
		if (ip_addr_equal(&pod->kernel_addr[i], subject))
			return true;
	return false;
}

/*
 * What is not answered here goes on: a question straight to one station, to see whether it is
 * alive, is nobody else's business, and service addresses are nobody's but the host port's.
 */
static struct pod_verdict ask(
	const struct speaker *s, const struct frame *f, const struct neigh_packet *p)
{
	struct pod_verdict verdict = responder_ask(s->pod, s->w, s->port, p, s->now_s);

	if (verdict.to != POD_FLOOD && verdict.to != POD_GUESTS)
		return verdict;
	if (is_service(s, &p->sender) || is_service(s, &p->target))
		return pod_drop(DROP_ISOLATED);
	return mac_is_multicast(frame_dst(f)) ? verdict : forward(s, f, &p->target);
}

static struct pod_verdict decide_neigh(
	const struct speaker *s, struct frame *f, const struct neigh_packet *p)
{
	const struct pod *pod = s->pod;
	const struct ip_addr to = recipient(f, p);

	/* What lies behind the head cannot be rewritten, and would show the guest's address. */
	if ((!tells_truth(s, p) && pod->port[s->port].anti_spoof) || p->more_options)
		return pod_drop(DROP_SPOOF_NEIGH);
	if (neigh_is_question(p))
		return ask(s, f, p);
	if (is_service(s, &p->sender) || is_service(s, &p->target))
		return pod_drop(DROP_ISOLATED);
	if (kernel_answers(s, f, p, &to))
		return pod_drop(DROP_KERNEL_ANSWERS);
	return forward(s, f, &to);
}

/* --- IP --------------------------------------------------------------------------------------- */

/* DHCP is answered for the pod's MAC: whom the answer is for is noted here. */
static void note_dhcp(const struct speaker *s, struct frame *f)
{
	struct dhcp_message m;

	if (s->pod->mac_mode == MAC_MODE_SUBSTITUTE && pod_may_be_dhcp(f) && dhcp_parse(f, &m) &&
		m.from_client)
		dhcp_clients_note(s->pod->dhcp, m.xid, s->port, s->mac);
}

/* Between the guest and the host port: from a service address of its own to the identity address,
 * and from neither to anywhere else. */
static struct pod_verdict to_host(
	const struct speaker *s, struct frame *f, bool own_service, const struct ip_addr *to)
{
	const struct pod *pod = s->pod;

	if (!own_service || !pod_is_identity(pod, to))
		return pod_drop(DROP_ISOLATED);
	pod_set_dst(f, &pod->host_mac);
	return pod_to_port(pod->host);
}

static struct pod_verdict decide_ip(const struct speaker *s, struct frame *f)
{
	const struct pod *pod = s->pod;
	bool strict = pod->port[s->port].anti_spoof, own, service;
	struct ip_addr from, to;

	if (!pod_read_addrs(f, &from, &to))
		return strict ? pod_drop(DROP_SPOOF_IP) : forward(s, f, NULL);
	own = ip_addr_is_unspecified(&from) ? is_dhcp_request(f) || is_mld(f) : owns(s, &from);
	if (!own && strict)
		return pod_drop(DROP_SPOOF_IP);
	service = is_service(s, &from);
	if (service || pod_is_identity(pod, &to))
		return to_host(s, f, service && own, &to);
	note_dhcp(s, f);
	return forward(s, f, &to);
}

/* --- neither ---------------------------------------------------------------------------------- */

/*
 * Whether stations may find IP or ARP in a frame that has none for us: behind more VLAN tags than
 * two (Linux takes off as many priority tags as there are), or behind an LLC and SNAP header (RFC
 * 1042, and 802.1H's bridge tunnel), which Windows takes like Ethernet's type.
 */
static bool is_disguised(const struct frame *f)
{
	static const uint8_t snap[] = { 0xaa, 0xaa, 0x03, 0x00, 0x00 };
	const uint8_t *llc = f->head + f->l3_offset;

	if (f->ethertype == ETHERTYPE_VLAN || f->ethertype == ETHERTYPE_QINQ)
		return true;
	return f->ethertype < ETHERTYPE_MIN && f->l3_offset + LLC_SNAP_LEN <= f->head_len &&
	       memcmp(llc, snap, sizeof(snap)) == 0 && (llc[5] == 0x00 || llc[5] == 0xf8);
}

/* --- all -------------------------------------------------------------------------------------- */

struct pod_verdict pod_from_guest(
	const struct pod *pod, struct pod_worker *w, uint16_t from, struct frame *f, uint32_t now_s)
{
	const struct mac src = *frame_src(f);
	const struct speaker s = { pod, w, from, &src, now_s };
	bool strict = pod->port[from].anti_spoof;
	struct pod_verdict verdict;
	struct neigh_packet p;

	if (strict && (mac_is_multicast(&src) || mac_is_zero(&src) ||
			      (pod->mac_mode == MAC_MODE_ADOPT && !pod_mac_equal(&src, &pod->mac))))
		return pod_drop(DROP_SPOOF_MAC);
	switch (pod_read_neigh(f, &p)) {
	case NEIGH_GOOD:
		verdict = decide_neigh(&s, f, &p);
		/* Nobody would understand it without a link layer. */
		return mac_is_zero(&pod->mac) ? pod_keep_inside(pod, verdict) : verdict;
	case NEIGH_BAD:
		return pod_drop(DROP_NEIGH_BAD);
	case NEIGH_OTHER:
		break;
	}
	if (pod_is_ip(f))
		return decide_ip(&s, f);
	return strict && is_disguised(f) ? pod_drop(DROP_SPOOF_IP) : forward(&s, f, NULL);
}
