/* SPDX-License-Identifier: BSD-3-Clause */

/* Forwarding in a pod, from a guest: is it the guest's own, and where does it go? */
#include "switch/datapath/pod_frame.h"
#include "switch/datapath/responder.h"

#define IP_PROTO_ICMPV6   58
#define ICMP6_MLD_FIRST   130
#define ICMP6_MLD2_REPORT 143

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
	return binding_check(s->pod->bindings, &s->w->bindings, addr, s->port, s->mac, s->now_s);
}

static bool is_service(const struct speaker *s, const struct ip_addr *addr)
{
	struct binding b;

	return binding_find(s->pod->bindings, &s->w->bindings, addr, &b) &&
	       b.origin == BINDING_SERVICE;
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
	if (!mac_is_zero(&p->sender_mac) && !pod_mac_equal(&p->sender_mac, s->mac))
		return false;
	if (!ip_addr_is_unspecified(&p->sender) && !owns(s, &p->sender))
		return false;
	return p->kind != NEIGH_ADVERT || owns(s, &p->target);
}

/*
 * Whether the pod's kernel gives the same answer: it does to whoever asks for an address that it
 * has, and the network shall hear one.
 */
static bool kernel_answers(
	const struct pod *pod, const struct frame *f, const struct neigh_packet *p)
{
	const struct ip_addr *subject = p->kind == NEIGH_ADVERT ? &p->target : &p->sender;

	if (!neigh_is_answer(p) || mac_is_multicast(frame_dst(f)))
		return false;
	for (unsigned i = 0; i < pod->n_kernel_addrs; i++)
		if (ip_addr_equal(&pod->kernel_addr[i], subject))
			return true;
	return false;
}

static struct pod_verdict decide_neigh(
	const struct speaker *s, struct frame *f, const struct neigh_packet *p)
{
	const struct pod *pod = s->pod;

	/* What lies behind the head cannot be rewritten, and would show the guest's address. */
	if ((!tells_truth(s, p) && pod->port[s->port].anti_spoof) || p->more_options)
		return pod_drop(DROP_SPOOF_NEIGH);
	if (neigh_is_question(p))
		return responder_ask(pod, s->w, s->port, p, s->now_s);
	if (is_service(s, &p->sender))
		return pod_drop(DROP_ISOLATED);
	if (kernel_answers(pod, f, p))
		return pod_drop(DROP_KERNEL_ANSWERS);
	return (struct pod_verdict) { .to = mac_is_multicast(frame_dst(f)) ? POD_FLOOD
									   : POD_NETWORK };
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

static struct pod_verdict decide_ip(const struct speaker *s, struct frame *f)
{
	const struct pod *pod = s->pod;
	bool strict = pod->port[s->port].anti_spoof, own;
	struct ip_addr from, to;

	if (!pod_read_addrs(f, &from, &to))
		return strict ? pod_drop(DROP_SPOOF_IP)
			      : (struct pod_verdict) { .to = POD_NETWORK };
	own = owns(s, &from);
	if (!own && ip_addr_is_unspecified(&from))
		own = is_dhcp_request(f) || is_mld(f);
	if (!own && strict)
		return pod_drop(DROP_SPOOF_IP);
	if (pod->host != POD_NO_PORT &&
		(ip_addr_equal(&to, &pod->identity) || is_service(s, &from))) {
		if (!ip_addr_equal(&to, &pod->identity) || !is_service(s, &from))
			return pod_drop(DROP_ISOLATED);
		pod_set_dst(f, &pod->host_mac);
		return pod_to_port(pod->host);
	}
	note_dhcp(s, f);
	return (struct pod_verdict) { .to = mac_is_multicast(frame_dst(f)) ? POD_FLOOD
									   : POD_NETWORK };
}

/* --- all -------------------------------------------------------------------------------------- */

struct pod_verdict pod_from_guest(
	const struct pod *pod, struct pod_worker *w, uint16_t from, struct frame *f, uint32_t now_s)
{
	const struct mac src = *frame_src(f);
	const struct speaker s = { pod, w, from, &src, now_s };
	bool strict = pod->port[from].anti_spoof;
	struct neigh_packet p;

	if (strict && (mac_is_multicast(&src) || mac_is_zero(&src) ||
			      (pod->mac_mode == MAC_MODE_ADOPT && !pod_mac_equal(&src, &pod->mac))))
		return pod_drop(DROP_SPOOF_MAC);
	switch (pod_read_neigh(f, &p)) {
	case NEIGH_GOOD:
		return decide_neigh(&s, f, &p);
	case NEIGH_BAD:
		return pod_drop(DROP_NEIGH_BAD);
	case NEIGH_OTHER:
		break;
	}
	if (pod_is_ip(f))
		return decide_ip(&s, f);
	return (struct pod_verdict) { .to = mac_is_multicast(frame_dst(f)) ? POD_FLOOD
									   : POD_NETWORK };
}
