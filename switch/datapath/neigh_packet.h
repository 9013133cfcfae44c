/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The packets by which stations find each other's addresses, read and made: ARP (RFC 826) and IPv6
 * neighbour discovery (RFC 4861). Checked as RFC 4861 wants it (sections 6.1, 7.1 and 8.1), but for
 * the checksum, and against what would hide them (neigh_packet.c).
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/ip_addr.h"
#include "switch/datapath/frame.h"

#define ETHERTYPE_ARP 0x0806

#define ICMP6_ROUTER_SOLICIT 133
#define ICMP6_REDIRECT       137

enum neigh_kind {
	NEIGH_ARP_REQUEST,
	NEIGH_ARP_REPLY,
	NEIGH_SOLICIT,
	NEIGH_ADVERT,
	NEIGH_ROUTER_SOLICIT,
	NEIGH_ROUTER_ADVERT,
	NEIGH_REDIRECT,
};

#define NEIGH_MACS_MAX 2

struct neigh_packet {
	enum neigh_kind kind;
	struct ip_addr sender; /* ARP: spa; ND: the IPv6 source */
	struct ip_addr target; /* ARP: tpa; ND: the target; unspecified for router messages */
	/*
	 * Whose address `sender_mac` is: of `target` in an advertisement or redirect, of `sender`
	 * otherwise (ARP: sha; ND: the link-layer address option; zero if there is none).
	 */
	struct mac sender_mac;
	bool has_mac;                    /* there is one, even if it is zero */
	bool more_options;               /* NEIGH_ROUTER_ADVERT: some lie behind the head, unread */
	uint16_t mac_at[NEIGH_MACS_MAX]; /* offsets of link-layer addresses in the head: ARP's sha
					  * and tha, ND's options */
	uint8_t n_macs;
	uint16_t checksum_at;                /* of the ICMPv6 checksum; 0: ARP */
	bool is_router, solicited, override; /* NEIGH_ADVERT's flags */
};

enum neigh_verdict {
	NEIGH_OTHER, /* not one of these packets */
	NEIGH_GOOD,
	NEIGH_BAD, /* pretends to be one */
};

/*
 * Reads f (its L2 is parsed), pulling its head as far as needed. ARP of anything but Ethernet and
 * IPv4, and other operations than request and reply, are NEIGH_OTHER. *p is valid if NEIGH_GOOD,
 * its offsets until a VLAN tag is put in or taken out. A sender or target is never multicast, and
 * of an IPv6 packet never IPv4-mapped.
 */
enum neigh_verdict neigh_parse(struct frame *f, struct neigh_packet *p);

/* Whether the packet asks for its target's link-layer address. */
static inline bool neigh_is_question(const struct neigh_packet *p)
{
	return p->kind == NEIGH_ARP_REQUEST || p->kind == NEIGH_SOLICIT;
}

/* Whether it answers one, or announces. */
static inline bool neigh_is_answer(const struct neigh_packet *p)
{
	return p->kind == NEIGH_ARP_REPLY || p->kind == NEIGH_ADVERT;
}

/* Whether the sender only asks if anybody has `target`: it has no address itself yet (RFC 5227,
 * RFC 4862 section 5.4). */
static inline bool neigh_is_probe(const struct neigh_packet *p)
{
	return neigh_is_question(p) && ip_addr_is_unspecified(&p->sender);
}

/*
 * The makers fill *out, which must not be their question, from its first byte: a complete frame,
 * all of it in the head, that asks for no offload and holds no port's memory (`ingress` and
 * `landed` are NULL). ARP is 42 bytes long: a virtual wire needs no padding, and drivers of real
 * ones pad.
 */

/*
 * The answer to `question` (which p describes): p->target is at `mac`. It goes to p->sender_mac, or
 * where the question came from if that is no station's; in the question's VLAN, with its tags. Who
 * only probes for an IPv6 address has none itself yet, so that answer goes to all nodes. `router`
 * sets ND's R flag; the O flag is always set.
 */
void neigh_make_answer(struct frame *out, const struct frame *question,
	const struct neigh_packet *p, const struct mac *mac, bool router);

/*
 * Asks, untagged, from `mac` with address `sender`, for `target`: broadcast or the solicited-node
 * group, or straight to `at` if that is not NULL. `sender` may be unspecified, of either family
 * (a probe); else it is of the target's.
 */
void neigh_make_question(struct frame *out, const struct mac *mac, const struct ip_addr *sender,
	const struct ip_addr *target, const struct mac *at);

/*
 * Tells everybody, untagged, that `addr` is at `mac`: gratuitous ARP request (RFC 5227, 2.3),
 * unsolicited NA with the O flag (RFC 4861, 7.2.6).
 */
void neigh_make_announcement(struct frame *out, const struct mac *mac, const struct ip_addr *addr);
