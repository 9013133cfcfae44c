/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/mac_rewrite.h"

#include "switch/datapath/checksum.h"
#include "switch/datapath/neigh_wire.h"

/*
 * Checksums are mended by RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). All that is exchanged lies
 * at an even distance from the header its checksum is in, so no byte changes sides. A checksum that
 * was wrong stays wrong.
 *
 * Where the frame asks for its checksum to be filled in (needs_csum), whoever does that adds up
 * what is there by then.
 */

static bool mac_is(const uint8_t *at, const struct mac *mac)
{
	return memcmp(at, mac, sizeof(*mac)) == 0;
}

/* The field holds a checksum, not the pseudo-header's sum to start one from. */
static bool is_complete(const struct frame *f, unsigned field)
{
	const struct offload *o = &f->offload;

	return !o->needs_csum || (unsigned)o->csum_start + o->csum_offset != field;
}

/* What the checksum in `field` becomes when `to` is put where `was` was. */
static uint16_t mend(const uint8_t *field, const void *was, const struct mac *to)
{
	uint8_t complement[2 + sizeof(*to)];

	memcpy(complement, field, 2);
	memcpy(complement + 2, was, sizeof(*to));
	for (unsigned i = 0; i < sizeof(complement); i++)
		complement[i] = (uint8_t)~complement[i];
	return checksum_fold(checksum_add(
		checksum_add(0, complement, sizeof(complement), 0), to, sizeof(*to), 0));
}

/* Puts `to` in place of every link-layer address of the packet that is `from`. */
static void exchange(
	struct frame *f, const struct neigh_packet *p, const struct mac *from, const struct mac *to)
{
	uint8_t *field = f->head + p->checksum_at;
	bool mends = p->checksum_at && is_complete(f, p->checksum_at);

	for (unsigned i = 0; i < p->n_macs; i++) {
		uint8_t *at = f->head + p->mac_at[i];

		if (!mac_is(at, from))
			continue;
		if (mends) {
			uint16_t checksum = mend(field, at, to);

			memcpy(field, &checksum, sizeof(checksum));
		}
		memcpy(at, to, sizeof(*to));
	}
}

void mac_rewrite_source(struct frame *f, const struct neigh_packet *p, const struct mac *to)
{
	const struct mac from = *frame_src(f);

	if (p)
		exchange(f, p, &from, to);
	memcpy(f->head + sizeof(from), to, sizeof(*to));
}

void mac_rewrite_destination(
	struct frame *f, const struct neigh_packet *p, const struct mac *from, const struct mac *to)
{
	if (p)
		exchange(f, p, from, to);
	if (!mac_is_multicast(frame_dst(f)))
		memcpy(f->head, to, sizeof(*to));
}

/* --- DHCPv4 ---------------------------------------------------------------------------------- */

#define UDP_LEN 4

/* RFC 2131, section 2. The options' magic cookie lies behind what a head holds. */
#define BOOTP_OP      0
#define BOOTP_HTYPE   1
#define BOOTP_HLEN    2
#define BOOTP_XID     4
#define BOOTP_CHADDR  28
#define BOOTP_LEN     236
#define BOOTP_REQUEST 1
#define BOOTP_REPLY   2

/* Finds an unfragmented IPv4 packet's UDP header, and has the head hold it and `more` behind it. */
static bool find_udp(struct frame *f, unsigned more, struct ip_packet *ip)
{
	const unsigned l3 = f->l3_offset;
	unsigned header_len;

	if (f->ethertype != ETHERTYPE_IPV4 || !frame_pull(f, l3 + IPV4_HEADER_MIN) ||
		f->head[l3 + IPV4_PROTO] != IP_PROTO_UDP)
		return false;
	header_len = (f->head[l3] & 0xfu) * 4;
	return frame_pull(f, l3 + header_len + UDP_HEADER_LEN + more) &&
	       ip_parse(f, l3, ETHERTYPE_IPV4, ip) && !ip->fragment;
}

/* Whether a BOOTP message of Ethernet goes the way its operation says, to client or server. */
static bool is_bootp(const struct frame *f, unsigned udp)
{
	const unsigned port = frame_be16(f, udp + UDP_DST_PORT);
	const unsigned len = frame_be16(f, udp + UDP_LEN);
	const uint8_t *bootp = f->head + udp + UDP_HEADER_LEN;

	if (len < UDP_HEADER_LEN + BOOTP_LEN || udp + len > ip_end(f))
		return false;
	if (bootp[BOOTP_HTYPE] != ARP_ETHERNET || bootp[BOOTP_HLEN] != sizeof(struct mac))
		return false;
	return (bootp[BOOTP_OP] == BOOTP_REQUEST && port == DHCP_SERVER_PORT) ||
	       (bootp[BOOTP_OP] == BOOTP_REPLY && port == DHCP_CLIENT_PORT);
}

bool dhcp_parse(struct frame *f, struct dhcp_message *m)
{
	struct ip_packet ip;
	unsigned bootp;

	if (!find_udp(f, BOOTP_CHADDR + sizeof(struct mac), &ip) || !is_bootp(f, ip.l4))
		return false;
	bootp = ip.l4 + UDP_HEADER_LEN;
	*m = (struct dhcp_message) {
		.from_client = f->head[bootp + BOOTP_OP] == BOOTP_REQUEST,
		.xid = (uint32_t)frame_be16(f, bootp + BOOTP_XID) << 16 |
		       frame_be16(f, bootp + BOOTP_XID + 2),
		.chaddr_at = (uint16_t)(bootp + BOOTP_CHADDR),
	};
	if (frame_be16(f, ip.l4 + UDP_CSUM_OFFSET))
		m->checksum_at = (uint16_t)(ip.l4 + UDP_CSUM_OFFSET);
	return true;
}

void dhcp_set_chaddr(struct frame *f, const struct dhcp_message *m, const struct mac *to)
{
	uint8_t *chaddr = f->head + m->chaddr_at;

	if (m->checksum_at && is_complete(f, m->checksum_at)) {
		uint8_t *field = f->head + m->checksum_at;
		uint16_t checksum = mend(field, chaddr, to);

		if (!checksum)
			checksum = 0xffff; /* zero would say that there is none */
		memcpy(field, &checksum, sizeof(checksum));
	}
	memcpy(chaddr, to, sizeof(*to));
}
