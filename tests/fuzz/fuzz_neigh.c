/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A frame through all that reads, answers and rewrites ARP, neighbour discovery and DHCP. The
 * input:
 *
 *    1 byte   how much of the frame is in the head
 *    1 byte   the size of the pieces the rest is in, 0 for one piece
 *    1 byte   bit 0: the checksum is made right first, bit 1: it is partial; bit 2: the new MAC
 *             address is zero
 *    the rest the frame
 *
 * Each piece is an allocation of its own, so that the sanitizer sees every step beyond it.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/datapath/ip.h"
#include "switch/datapath/mac_rewrite.h"
#include "switch/datapath/neigh_packet.h"

#define LAYOUT_LEN    3
#define LEN_MAX       2048
#define FLAG_CORRECT  1
#define FLAG_PARTIAL  2
#define FLAG_ZERO_MAC 4

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t bytes[LEN_MAX], after[LEN_MAX];
static struct iovec pieces[FRAME_SEG_MAX];
static unsigned n_pieces;

static const struct mac new_mac = { { 0x0e, 0xd1, 0x7f, 0xff, 0x80, 0x01 } };
static const struct mac zero_mac;

/* --- frames ----------------------------------------------------------------------------------- */

static void make_frame(struct frame *f, uint32_t len, unsigned head_len, size_t piece)
{
	memset(f, 0, sizeof(*f));
	f->head = f->head_room + VLAN_TAG_LEN;
	f->len = len;
	f->head_len = (uint16_t)(head_len < len ? head_len : len);
	memcpy(f->head, bytes, f->head_len);
	for (uint32_t at = f->head_len; at < len; n_pieces++) {
		size_t part = len - at;

		if (part > piece && f->n_segs < FRAME_SEG_MAX / 2 - 1)
			part = piece;
		pieces[n_pieces] = (struct iovec) { malloc(part), part };
		must(pieces[n_pieces].iov_base);
		memcpy(pieces[n_pieces].iov_base, bytes + at, part);
		f->seg[f->n_segs++] = pieces[n_pieces];
		at += (uint32_t)part;
	}
}

static void forget_pieces(void)
{
	for (unsigned i = 0; i < n_pieces; i++)
		free(pieces[i].iov_base);
	n_pieces = 0;
}

static void read_frame(const struct frame *f)
{
	uint32_t at = f->head_len;

	must(f->head_len <= FRAME_HEAD_MAX && f->len <= LEN_MAX);
	memcpy(after, f->head, f->head_len);
	for (unsigned i = 0; i < f->n_segs; i++) {
		memcpy(after + at, f->seg[i].iov_base, f->seg[i].iov_len);
		at += (uint32_t)f->seg[i].iov_len;
	}
	must(at == f->len);
}

static void must_be_as_before(const struct frame *f)
{
	read_frame(f);
	must(memcmp(after, bytes, f->len) == 0);
}

/* --- checksums, word by word ------------------------------------------------------------------ */

static uint32_t add(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The complement of all that a checksum at `field` covers in [l4, end) of b: 0 if it holds. */
static uint16_t verify(const uint8_t *b, const struct frame *f, unsigned l4, uint32_t end)
{
	const uint8_t *ip = b + f->l3_offset;
	bool v6 = f->ethertype == ETHERTYPE_IPV6;
	uint32_t sum = add(0, ip + (v6 ? 8 : 12), v6 ? 32 : 8);

	return (uint16_t)~add(sum + (v6 ? 58 : 17) + (end - l4), b + l4, end - l4);
}

/* --- ARP and neighbour discovery -------------------------------------------------------------- */

static void check_packet(const struct frame *f, const struct neigh_packet *p)
{
	must(p->kind <= NEIGH_REDIRECT && p->n_macs <= NEIGH_MACS_MAX);
	for (unsigned i = 0; i < p->n_macs; i++)
		must(p->mac_at[i] >= f->l3_offset && p->mac_at[i] + 6 <= f->head_len);
	must(p->checksum_at + 2 <= f->head_len);
	must((p->checksum_at == 0) == (p->kind <= NEIGH_ARP_REPLY));
	must(!ip_addr_is_multicast(&p->sender) && !ip_addr_is_multicast(&p->target));
	must(ip_addr_is_v4(&p->sender) == (p->checksum_at == 0));
	must(!ip_addr_is_v4(&p->target) || p->checksum_at == 0);
	must(!neigh_is_question(p) || !neigh_is_answer(p));
	must(!p->more_options || p->kind == NEIGH_ROUTER_ADVERT);
}

/* What was made is good, and right. */
static void read_made(struct frame *f, struct neigh_packet *p)
{
	uint16_t l3 = f->l3_offset, ethertype = f->ethertype;

	must(f->len == f->head_len && f->n_segs == 0 && !f->ingress && !f->landed);
	must(frame_parse_l2(f) && f->l3_offset == l3 && f->ethertype == ethertype);
	must(neigh_parse(f, p) == NEIGH_GOOD);
	check_packet(f, p);
	if (p->checksum_at)
		must(verify(f->head, f, p->checksum_at - 2u, f->len) == 0);
}

static void answer(const struct frame *f, const struct neigh_packet *p)
{
	struct neigh_packet made;
	struct frame out;

	memset(&out, 0xa5, sizeof(out));
	neigh_make_answer(&out, f, p, &new_mac, f->len & 1);
	read_made(&out, &made);
	must(neigh_is_answer(&made) && out.vlan == f->vlan);
	must(out.l3_offset == f->l3_offset);
	must(memcmp(&made.sender_mac, &new_mac, sizeof(new_mac)) == 0);
	if (made.kind == NEIGH_ARP_REPLY) {
		must(ip_addr_equal(&made.sender, &p->target));
		must(ip_addr_equal(&made.target, &p->sender));
	} else {
		must(ip_addr_equal(&made.target, &p->target));
		must(made.solicited == !neigh_is_probe(p) && made.is_router == (f->len & 1));
	}
}

static void ask(const struct frame *f, const struct neigh_packet *p)
{
	struct neigh_packet made;
	struct frame out;

	neigh_make_question(
		&out, &new_mac, &p->sender, &p->target, f->len & 1 ? frame_src(f) : NULL);
	read_made(&out, &made);
	must(neigh_is_question(&made) && ip_addr_equal(&made.target, &p->target));
	must(neigh_is_probe(&made) == ip_addr_is_unspecified(&p->sender));
	neigh_make_announcement(&out, &new_mac, &p->target);
	read_made(&out, &made);
	must(ip_addr_equal(&made.target, &p->target));
	must(ip_addr_equal(&made.sender, &p->target));
}

/* Makes the frame's checksum right, in the bytes it is compared with as well. */
static void correct(struct frame *f, unsigned field, unsigned l4, uint32_t end)
{
	uint16_t sum;

	bytes[field] = bytes[field + 1] = 0;
	sum = verify(bytes, f, l4, end);
	put_be16(bytes + field, sum);
	memcpy(f->head + field, bytes + field, 2);
}

static void must_verify(const struct frame *f, unsigned l4, uint32_t end)
{
	read_frame(f);
	must(verify(after, f, l4, end) == 0);
}

/* There and back: `from` and what is like it become `to`, and all is as it was. */
static void rewrite(struct frame *f, const struct neigh_packet *p, uint8_t flags)
{
	const struct mac *to = flags & FLAG_ZERO_MAC ? &zero_mac : &new_mac;
	const uint32_t end = ip_end(f);
	const unsigned l4 = p && p->checksum_at ? p->checksum_at - 2u : 0;
	bool right = l4 && (flags & FLAG_CORRECT);
	uint8_t before[FRAME_HEAD_MAX];
	struct mac from;

	if (right)
		correct(f, p->checksum_at, l4, end);
	if (l4 && (flags & FLAG_PARTIAL))
		f->offload = (struct offload) {
			.needs_csum = true, .csum_start = (uint16_t)l4, .csum_offset = 2
		};
	memcpy(&from, frame_src(f), sizeof(from));
	memcpy(before, f->head, f->head_len);
	mac_rewrite_source(f, p, to);
	must(memcmp(frame_src(f), to, sizeof(*to)) == 0);
	if (right && !(flags & FLAG_PARTIAL))
		must_verify(f, l4, end);
	if (l4 && (flags & FLAG_PARTIAL))
		must(memcmp(f->head + p->checksum_at, bytes + p->checksum_at, 2) == 0);
	for (unsigned i = 0; p && i < p->n_macs; i++)
		must(memcmp(f->head + p->mac_at[i], &from, 6) != 0 || !memcmp(&from, to, 6));
	memcpy(f->head, before, f->head_len);
	must_be_as_before(f);
	mac_rewrite_destination(f, p, &from, to);
	if (right && !(flags & FLAG_PARTIAL))
		must_verify(f, l4, end);
}

/* The same frame, all of whose head is there at once, is read in the same way. */
static void parse_at_once(
	const struct frame *f, enum neigh_verdict verdict, const struct neigh_packet *p)
{
	struct neigh_packet again;
	struct frame whole;

	make_frame(&whole, f->len, FRAME_HEAD_MAX, LEN_MAX);
	if (!frame_parse_l2(&whole))
		abort();
	must(neigh_parse(&whole, &again) == verdict);
	if (verdict == NEIGH_GOOD)
		must(again.kind == p->kind && again.n_macs == p->n_macs &&
			again.checksum_at == p->checksum_at && again.has_mac == p->has_mac &&
			ip_addr_equal(&again.sender, &p->sender) &&
			ip_addr_equal(&again.target, &p->target));
}

static void judge_neigh(struct frame *f, uint8_t flags)
{
	struct neigh_packet p;
	enum neigh_verdict verdict = neigh_parse(f, &p);

	must_be_as_before(f);
	parse_at_once(f, verdict, &p);
	if (verdict == NEIGH_GOOD) {
		check_packet(f, &p);
		if (neigh_is_question(&p))
			answer(f, &p);
		if (neigh_is_question(&p) || neigh_is_answer(&p))
			ask(f, &p);
	}
	rewrite(f, verdict == NEIGH_GOOD ? &p : NULL, flags);
}

/* --- DHCP ------------------------------------------------------------------------------------- */

static void judge_dhcp(struct frame *f, uint8_t flags)
{
	struct dhcp_message m;
	unsigned udp;
	uint32_t end;
	bool right;

	if (!dhcp_parse(f, &m))
		return;
	must_be_as_before(f);
	udp = m.chaddr_at - 36u;
	end = udp + frame_be16(f, udp + 4);
	must(m.chaddr_at + 6 <= f->head_len && end <= f->len);
	must(m.checksum_at == 0 || m.checksum_at == udp + UDP_CSUM_OFFSET);
	right = m.checksum_at && (flags & FLAG_CORRECT);
	if (right)
		correct(f, m.checksum_at, udp, end);
	dhcp_set_chaddr(f, &m, &new_mac);
	must(memcmp(f->head + m.chaddr_at, &new_mac, 6) == 0);
	if (right)
		must_verify(f, udp, end);
	must(!m.checksum_at || frame_be16(f, m.checksum_at) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f;
	size_t len = size - LAYOUT_LEN, piece;

	if (size < LAYOUT_LEN || len == 0 || len > LEN_MAX)
		return 0;
	piece = data[1] ? data[1] : LEN_MAX;
	memcpy(bytes, data + LAYOUT_LEN, len);
	make_frame(&f, (uint32_t)len, data[0] + 1u, piece);
	if (frame_pull(&f, len < ETH_HEADER_LEN ? (unsigned)len : ETH_HEADER_LEN) &&
		frame_parse_l2(&f))
		judge_neigh(&f, data[2]);
	forget_pieces();
	memcpy(bytes, data + LAYOUT_LEN, len);
	make_frame(&f, (uint32_t)len, data[0] + 1u, piece);
	if (frame_parse_l2(&f))
		judge_dhcp(&f, data[2]);
	forget_pieces();
	return 0;
}
