/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/refragment.h"

#include <arpa/inet.h>

#include "switch/datapath/checksum.h"
#include "switch/datapath/ip.h"

#define IPV4_ID          4
#define IPV4_CHECKSUM    10
#define IPV4_MORE        0x2000
#define IPV4_OFFSET_MASK 0x1fff

#define IPV4_OPTION_END    0
#define IPV4_OPTION_NOP    1
#define IPV4_OPTION_COPIED 0x80

#define IPV6_FRAGMENT_LEN 8
#define IPV6_MORE         0x0001

#define FRAGMENT_UNIT 8u

static bool begin_v4(struct refragmenter *r, const struct ip_packet *ip, uint32_t id)
{
	const struct frame *f = r->frame;

	r->start = ip->l4;
	r->first = frame_be16(f, ip->l3 + IPV4_FRAGMENT);
	r->id = frame_be16(f, ip->l3 + IPV4_ID);
	if (r->id == 0)
		r->id = id;
	return true;
}

/* The part that every fragment repeats ends behind a hop-by-hop and a routing header. */
static bool begin_v6(struct refragmenter *r, const struct ip_packet *ip, uint32_t id)
{
	const struct frame *f = r->frame;

	if (ip->fragment)
		return false;
	r->v6 = true;
	r->id = id;
	r->next_at = (uint8_t)(ip->l3 + IPV6_NEXT_HEADER);
	r->start = ip->l3 + IPV6_HEADER_LEN;
	r->next_header = f->head[r->next_at];
	while ((r->next_header == IPV6_EXT_HOP_BY_HOP || r->next_header == IPV6_EXT_ROUTING) &&
		r->start < ip->l4) {
		r->next_at = (uint8_t)r->start;
		r->next_header = f->head[r->start];
		r->start += (f->head[r->start + 1] + 1u) * 8u;
	}
	return r->start + IPV6_FRAGMENT_LEN <= FRAME_HEAD_MAX;
}

bool refragment_begin(struct refragmenter *r, const struct frame *f, unsigned mtu, uint32_t id)
{
	struct ip_packet ip;
	unsigned headers;

	*r = (struct refragmenter) { .frame = f };
	if (!ip_parse(f, f->l3_offset, f->ethertype, &ip))
		return false;
	if (!(ip.v6 ? begin_v6(r, &ip, id) : begin_v4(r, &ip, id)))
		return false;
	headers = r->start - f->l3_offset + (r->v6 ? IPV6_FRAGMENT_LEN : 0);
	if (mtu < headers + FRAGMENT_UNIT)
		return false;
	r->step = (mtu - headers) & ~(FRAGMENT_UNIT - 1);
	r->offset = r->start;
	r->end = ip_end(f);
	return r->end > r->start;
}

/* Options that are not for every fragment become no-operations (RFC 791, section 3.1). */
static void blank_options(uint8_t *at, const uint8_t *end)
{
	while (at < end && *at != IPV4_OPTION_END) {
		unsigned len = *at == IPV4_OPTION_NOP || at + 1 == end ? 1 : at[1];

		if (len == 0 || at + len > end)
			return;
		if (!(*at & IPV4_OPTION_COPIED))
			memset(at, IPV4_OPTION_NOP, len);
		at += len;
	}
}

static void adapt_v4(const struct refragmenter *r, struct frame *out, uint32_t len, bool last)
{
	const unsigned l3 = out->l3_offset;
	uint8_t *header = out->head + l3;
	unsigned units = (r->first & IPV4_OFFSET_MASK) + (r->offset - r->start) / FRAGMENT_UNIT;
	uint16_t checksum = 0;

	if (r->offset > r->start)
		blank_options(header + IPV4_HEADER_MIN, out->head + r->start);
	put_be16(header + IPV4_TOTAL_LEN, r->start - l3 + len);
	put_be16(header + IPV4_ID, r->id);
	put_be16(header + IPV4_FRAGMENT, units | (last ? r->first & IPV4_MORE : IPV4_MORE));
	memcpy(header + IPV4_CHECKSUM, &checksum, sizeof(checksum));
	checksum = checksum_fold(checksum_add(0, header, r->start - l3, 0));
	memcpy(header + IPV4_CHECKSUM, &checksum, sizeof(checksum));
}

static void adapt_v6(const struct refragmenter *r, struct frame *out, uint32_t len, bool last)
{
	const unsigned l3 = out->l3_offset;
	uint8_t *fragment = out->head + r->start;
	const uint32_t id = htonl(r->id);

	out->head[r->next_at] = IPV6_EXT_FRAGMENT;
	fragment[0] = r->next_header;
	fragment[1] = 0;
	put_be16(fragment + 2, (r->offset - r->start) | (last ? 0 : IPV6_MORE));
	memcpy(fragment + 4, &id, sizeof(id));
	put_be16(out->head + l3 + IPV6_PAYLOAD_LEN,
		r->start - l3 - IPV6_HEADER_LEN + IPV6_FRAGMENT_LEN + len);
}

/* The original's headers, all that fragments repeat, and room for what IPv6 adds. */
static void begin_view(const struct refragmenter *r, struct frame *out)
{
	const struct frame *f = r->frame;

	out->head = out->head_room + (f->head - f->head_room);
	memcpy(out->head, f->head, r->start);
	out->head_len = (uint16_t)(r->start + (r->v6 ? IPV6_FRAGMENT_LEN : 0));
	out->len = out->head_len;
	out->n_segs = 0;
	out->offload = (struct offload) { 0 };
	out->l3_offset = f->l3_offset;
	out->ethertype = f->ethertype;
	out->vlan = f->vlan;
	out->ingress = f->ingress;
	out->landed = NULL;
}

/* Bytes [offset, offset + len) of the original, of which some may be in its head. */
static bool append_payload(struct frame *out, const struct frame *f, uint32_t offset, uint32_t len)
{
	unsigned n = 0;

	out->len += len;
	if (offset < f->head_len) {
		uint32_t part = f->head_len - offset;

		if (part > len)
			part = len;
		out->seg[n++] = (struct iovec) { f->head + offset, part };
		offset += part;
		len -= part;
	}
	if (len) {
		unsigned more = frame_slice(f, offset, len, out->seg + n, FRAME_SEG_MAX - n);

		if (!more)
			return false;
		n += more;
	}
	out->n_segs = (uint16_t)n;
	return true;
}

bool refragment_next(struct refragmenter *r, struct frame *out)
{
	uint32_t len = r->end - r->offset;
	bool last = len <= r->step;

	if (!len)
		return false;
	if (!last)
		len = r->step;
	begin_view(r, out);
	if (!append_payload(out, r->frame, r->offset, len)) {
		r->offset = r->end;
		return false;
	}
	if (r->v6)
		adapt_v6(r, out, len, last);
	else
		adapt_v4(r, out, len, last);
	(void)frame_pull(out, out->len < FRAME_PULL ? out->len : FRAME_PULL);
	r->offset += len;
	return true;
}
