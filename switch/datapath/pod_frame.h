/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What forwarding in a pod reads of a frame: who sends it, and to whom. Inside of
 * pod*.c and responder.c. */

#include "switch/datapath/ip.h"
#include "switch/datapath/mac_rewrite.h"
#include "switch/datapath/pod.h"

static inline struct pod_verdict pod_drop(enum drop_reason why)
{
	return (struct pod_verdict) { .to = POD_DROP, .why = why };
}

static inline struct pod_verdict pod_to_port(uint16_t port)
{
	return (struct pod_verdict) { .to = POD_PORT, .port = port };
}

/* The IP addresses of a packet; false: it is not IP, or too short to have them. */
static inline bool pod_read_addrs(const struct frame *f, struct ip_addr *from, struct ip_addr *to)
{
	const uint8_t *ip = f->head + f->l3_offset;

	if (f->ethertype == ETHERTYPE_IPV4 && f->l3_offset + IPV4_HEADER_MIN <= f->head_len) {
		*from = ip_addr_v4(ip + IPV4_SRC);
		*to = ip_addr_v4(ip + IPV4_DST);
		return true;
	}
	if (f->ethertype == ETHERTYPE_IPV6 && f->l3_offset + IPV6_HEADER_LEN <= f->head_len) {
		*from = ip_addr_v6(ip + IPV6_SRC);
		*to = ip_addr_v6(ip + IPV6_DST);
		return true;
	}
	return false;
}

/*
 * neigh_parse(), which most frames need not be asked. ARP of another kind is bad: Linux takes that
 * of IEEE 802 networks (hardware type 6) for Ethernet's, and nobody needs any.
 */
static inline enum neigh_verdict pod_read_neigh(struct frame *f, struct neigh_packet *p)
{
	enum neigh_verdict verdict = NEIGH_OTHER;

	if (f->ethertype != ETHERTYPE_IPV4)
		verdict = neigh_parse(f, p);
	return verdict == NEIGH_OTHER && f->ethertype == ETHERTYPE_ARP ? NEIGH_BAD : verdict;
}

static inline bool pod_is_ip(const struct frame *f)
{
	return f->ethertype == ETHERTYPE_IPV4 || f->ethertype == ETHERTYPE_IPV6;
}

/* A first look, that costs nothing: an IPv4 packet to one of DHCP's ports. */
static inline bool pod_may_be_dhcp(const struct frame *f)
{
	unsigned l4 = f->l3_offset;

	if (f->ethertype != ETHERTYPE_IPV4 || l4 + IPV4_HEADER_MIN > f->head_len ||
		f->head[l4 + IPV4_PROTO] != IP_PROTO_UDP)
		return false;
	l4 += (f->head[l4] & 0xfu) * 4;
	return l4 + UDP_HEADER_LEN <= f->head_len &&
	       (frame_be16(f, l4 + UDP_DST_PORT) == DHCP_SERVER_PORT ||
		       frame_be16(f, l4 + UDP_DST_PORT) == DHCP_CLIENT_PORT);
}

static inline void pod_set_dst(struct frame *f, const struct mac *mac)
{
	memcpy(f->head, mac, sizeof(*mac));
}

static inline void pod_set_src(struct frame *f, const struct mac *mac)
{
	memcpy(f->head + sizeof(*mac), mac, sizeof(*mac));
}

static inline bool pod_mac_equal(const struct mac *a, const struct mac *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool pod_is_identity(const struct pod *pod, const struct ip_addr *addr)
{
	return pod->host != POD_NO_PORT && ip_addr_equal(addr, &pod->identity);
}

/* The verdict, if there is no way by the uplink. */
static inline struct pod_verdict pod_keep_inside(const struct pod *pod, struct pod_verdict verdict)
{
	bool leaves = verdict.to == POD_NETWORK ||
		      (verdict.to == POD_PORT && verdict.port == pod->uplink);

	if (leaves || (verdict.to == POD_FLOOD && pod->only_guest != POD_NO_PORT))
		return pod_drop(DROP_NO_DESTINATION);
	if (verdict.to == POD_FLOOD)
		verdict.to = POD_GUESTS;
	return verdict;
}

/* pod_decide() for each kind of ingress. */
struct pod_verdict pod_from_guest(const struct pod *pod, struct pod_worker *w, uint16_t from,
	struct frame *f, uint32_t now_s);
struct pod_verdict pod_from_uplink(
	const struct pod *pod, struct pod_worker *w, struct frame *f, uint32_t now_s);
struct pod_verdict pod_from_host(
	const struct pod *pod, struct pod_worker *w, struct frame *f, uint32_t now_s);
