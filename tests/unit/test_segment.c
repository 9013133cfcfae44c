/* SPDX-License-Identifier: BSD-3-Clause */

/* Super-frames in odd pieces, cut and compared with what packet_builder.h makes from scratch. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/datapath/segment.h"
#include "tests/unit/packet_builder.h"

static int fill(void **state)
{
	payload_fill();
	return 0;
}

/*
 * A frame of `len` bytes whose pieces are memory of their own, so that a sanitizer sees a step
 * beyond any of them.
 */
static void scatter(struct frame *f, const uint8_t *bytes, uint32_t len, unsigned head_len)
{
	memset(f, 0xa5, sizeof(*f));
	f->head = f->head_room + (random() % 2 ? VLAN_TAG_LEN : 0);
	f->landed = NULL;
	f->len = len;
	f->n_segs = 0;
	if (head_len > len)
		head_len = len;
	f->head_len = (uint16_t)head_len;
	memcpy(f->head, bytes, head_len);
	for (uint32_t at = head_len; at < len; f->n_segs++) {
		size_t part = 1 + (size_t)random() % (len / 16 + 2);

		if (part > len - at || f->n_segs == FRAME_SEG_MAX - 1)
			part = len - at;
		f->seg[f->n_segs].iov_base = malloc(part);
		f->seg[f->n_segs].iov_len = part;
		memcpy(f->seg[f->n_segs].iov_base, bytes + at, part);
		at += part;
	}
}

/* Decoding moves where pieces begin, so their memory is kept in a copy of the list. */
static void gather(const struct frame *f, uint8_t *out)
{
	size_t at = f->head_len;

	memcpy(out, f->head, at);
	for (unsigned i = 0; i < f->n_segs; i++) {
		memcpy(out + at, f->seg[i].iov_base, f->seg[i].iov_len);
		at += f->seg[i].iov_len;
	}
	assert_int_equal(at, f->len);
}

static void compare(const struct description *d, const struct frame *is, const struct packet *want)
{
	static uint8_t flat[FRAME_LEN_MAX];
	size_t len = packet_len(want, want->at);

	if (is->len != len)
		fail_msg("%s: a segment of %u bytes, not %zu", d->what, is->len, len);
	gather(is, flat);
	for (size_t i = 0; i < len; i++)
		if (flat[i] != want->at[i])
			fail_msg("%s: byte %zu of %zu is %02x, not %02x", d->what, i, len, flat[i],
				want->at[i]);
}

static void check_segments(const struct description *d, const struct frame *f, unsigned caps)
{
	static struct packet want;
	struct segmenter s;
	struct frame out;
	struct part part = { .first = true, .partial = caps & EGRESS_CSUM };
	unsigned n_left = (d->payload + d->gso_size - 1) / d->gso_size;

	memset(&out, 0xa5, sizeof(out));
	assert_int_equal(segment_begin(&s, f, caps), OFFLOAD_OK);
	assert_int_equal(segment_left(&s), n_left);
	while (segment_next(&s, &out)) {
		assert_true(part.offset < d->payload);
		assert_int_equal(segment_left(&s), --n_left);
		part.len = d->payload - part.offset;
		if (part.len > d->gso_size)
			part.len = d->gso_size;
		part.last = part.offset + part.len == d->payload;
		packet_build(&want, d, &part);
		compare(d, &out, &want);
		assert_int_equal(out.offload.needs_csum, part.partial);
		assert_int_equal(out.offload.gso, GSO_NONE);
		assert_true(offload_fits(&out, caps));
		assert_int_equal(out.l3_offset, f->l3_offset);
		assert_int_equal(out.head - out.head_room, f->head - f->head_room);
		assert_ptr_equal(out.ingress, f->ingress);
		assert_null(out.landed);
		part.offset += part.len;
		part.index++;
		part.first = false;
	}
	assert_int_equal(part.offset, d->payload);
	assert_false(segment_next(&s, &out));
}

static void check(const struct description *d, unsigned head_len)
{
	static struct packet whole;
	const struct part all = { .len = d->payload, .first = true, .last = true, .partial = true };
	struct iovec owned[FRAME_SEG_MAX];
	struct vnet_hdr hdr;
	struct frame f;
	unsigned n_owned;

	packet_build(&whole, d, &all);
	scatter(&f, whole.at, (uint32_t)packet_len(&whole, whole.at), head_len);
	n_owned = f.n_segs;
	memcpy(owned, f.seg, sizeof(owned));
	hdr = packet_request(d, &whole);
	assert_true(frame_pull(&f, 22));
	assert_true(frame_parse_l2(&f));
	assert_int_equal(offload_decode(&hdr, &f), OFFLOAD_OK);
	check_segments(d, &f, 0);
	check_segments(d, &f, EGRESS_CSUM);
	if (f.offload.ecn)
		check_segments(d, &f, EGRESS_ALL & ~EGRESS_ECN);
	for (unsigned i = 0; i < n_owned; i++)
		free(owned[i].iov_base);
}

static const struct description descriptions[] = {
	{ "tcp4", .flags = ACK | PSH, .payload = 64000, .gso_size = 1460 },
	{ "tcp4 fin", .flags = ACK | PSH | FIN, .tcp_options = 12, .payload = 9001,
		.gso_size = 1448 },
	{ "tcp4 ecn", .flags = ACK | ECE | CWR | PSH, .payload = 5000, .gso_size = 1000 },
	{ "tcp4 no ack", .payload = 3000, .gso_size = 1000 },
	{ "tcp4 options", .options = 24, .tcp_options = 40, .payload = 7777, .gso_size = 1333 },
	{ "tcp4 odd", .flags = ACK, .payload = 6001, .gso_size = 777 },
	{ "tcp4 tiny", .flags = ACK, .payload = 700, .gso_size = 1 },
	{ "tcp6", .v6 = true, .flags = ACK | PSH, .payload = 64000, .gso_size = 1440 },
	{ "tcp6 ecn", .v6 = true, .flags = ACK | CWR, .payload = 64000, .gso_size = 8940 },
	{ "tcp6 hop-by-hop", .v6 = true, .ext = EXT_HOP, .flags = ACK, .payload = 9000,
		.gso_size = 1400 },
	{ "tcp6 hop and destination", .v6 = true, .ext = EXT_HOP | EXT_DST, .flags = ACK | PSH,
		.payload = 9000, .gso_size = 1401 },
	{ "tcp6 routing", .v6 = true, .ext = EXT_ROUTING, .flags = ACK, .payload = 9000,
		.gso_size = 1400 },
	{ "udp4", .udp = true, .payload = 60000, .gso_size = 1472 },
	{ "udp4 odd", .udp = true, .payload = 6003, .gso_size = 11 },
	{ "udp6", .v6 = true, .udp = true, .payload = 60000, .gso_size = 1452 },
	{ "udp6 extensions", .v6 = true, .udp = true, .ext = EXT_HOP | EXT_DST, .payload = 6000,
		.gso_size = 1201 },
	{ "vlan 8100", .tags = { 0x8100 }, .flags = ACK, .payload = 30000, .gso_size = 1456 },
	{ "vlan 88a8", .tags = { 0x88a8 }, .v6 = true, .flags = ACK, .payload = 30000,
		.gso_size = 1436 },
	{ "vlan double", .tags = { 0x88a8, 0x8100 }, .flags = ACK, .payload = 30000,
		.gso_size = 1456 },
	{ "vlan double udp6", .tags = { 0x8100, 0x8100 }, .v6 = true, .udp = true, .payload = 30000,
		.gso_size = 1400 },
	{ "vxlan 4 in 4", .tunnel = VXLAN, .flags = ACK | PSH, .payload = 60000, .gso_size = 1398 },
	{ "vxlan 6 in 4", .tunnel = VXLAN, .v6 = true, .flags = ACK | CWR, .payload = 60000,
		.gso_size = 1378 },
	{ "vxlan 4 in 6", .tunnel = VXLAN, .outer_v6 = true, .outer_csum = true, .flags = ACK,
		.payload = 60000, .gso_size = 1378 },
	{ "vxlan 6 in 6 tagged", .tags = { 0x8100 }, .tunnel = VXLAN_LINUX, .outer_v6 = true,
		.outer_csum = true, .inner_tag = 0x8100, .v6 = true, .flags = ACK, .payload = 60001,
		.gso_size = 1351 },
	{ "vxlan udp", .tunnel = VXLAN, .outer_csum = true, .udp = true, .payload = 6000,
		.gso_size = 999 },
	{ "geneve", .tunnel = GENEVE, .outer_csum = true, .flags = ACK, .payload = 6000,
		.gso_size = 999 },
	{ "geneve ip", .tunnel = GENEVE_IP, .v6 = true, .flags = ACK, .payload = 6000,
		.gso_size = 998 },
	{ "ipip", .tunnel = IPIP, .flags = ACK, .payload = 6000, .gso_size = 998 },
	{ "sit", .tunnel = IPIP, .v6 = true, .flags = ACK, .payload = 6000, .gso_size = 998 },
	{ "ip6ip6", .tunnel = IPIP, .v6 = true, .outer_v6 = true, .flags = ACK, .payload = 6000,
		.gso_size = 998 },
	{ "gre", .tunnel = GRE, .flags = ACK, .payload = 6000, .gso_size = 998 },
	{ "gre key", .tunnel = GRE_KEY, .v6 = true, .flags = ACK, .payload = 6000,
		.gso_size = 998 },
	{ "gretap", .tunnel = GRE_ETHERNET, .outer_v6 = true, .inner_tag = 0x8100, .flags = ACK,
		.payload = 6000, .gso_size = 998 },
};
#define N_DESCRIPTIONS (sizeof(descriptions) / sizeof(descriptions[0]))

static void segments_are_as_built_from_scratch(void **state)
{
	static const unsigned head_lens[] = { 14, 54, FRAME_PULL, 201, FRAME_HEAD_MAX };

	for (size_t i = 0; i < N_DESCRIPTIONS; i++)
		for (size_t h = 0; h < sizeof(head_lens) / sizeof(head_lens[0]); h++)
			check(&descriptions[i], head_lens[h]);
}

static void random_super_frames(void **state)
{
	static const uint16_t tpids[] = { 0, 0, 0x8100, 0x88a8 };
	char what[32];

	for (unsigned round = 0; round < 3000; round++) {
		struct description d = {
			.what = what,
			.tags = { tpids[random() % 4], tpids[random() % 4] },
			.tunnel = random() % 2 ? NONE : random() % N_TUNNELS,
			.outer_v6 = random() % 2,
			.outer_csum = random() % 2,
			.inner_tag = tpids[random() % 4],
			.v6 = random() % 2,
			.ext = (unsigned)random() % 8,
			.options = (unsigned)random() % 11 * 4,
			.udp = random() % 3 == 0,
			.tcp_options = (unsigned)random() % 11 * 4,
			.gso_size = (uint16_t)(1 + random() % (random() % 2 ? 100 : 9000)),
		};
		uint32_t most = d.gso_size * 30u < 65000 ? d.gso_size * 30u : 65000;

		if (!d.udp)
			d.flags = (uint8_t)(random() & 0xff);
		d.payload = d.gso_size + 1 + (uint32_t)random() % (most - d.gso_size);
		snprintf(what, sizeof(what), "round %u", round);
		check(&d, 14 + (unsigned)random() % (FRAME_HEAD_MAX - 13));
	}
}

/* Builds a TCP or UDP frame that only lacks its checksum, and `padding` behind it. */
static uint32_t build_request(struct packet *p, const struct description *d, uint8_t *bytes,
	uint32_t padding, struct vnet_hdr *hdr)
{
	const struct part all = { .len = d->payload, .first = true, .last = true, .partial = true };
	uint32_t len;

	packet_build(p, d, &all);
	len = (uint32_t)packet_len(p, p->at);
	memcpy(bytes, p->at, len);
	memset(bytes + len, 0xee, padding);
	*hdr = packet_request(d, p);
	hdr->gso_type = VNET_HDR_GSO_NONE;
	return len + padding;
}

static void complete_one(const uint8_t *bytes, uint32_t len, const struct vnet_hdr *hdr,
	unsigned head_len, uint8_t *out_bytes)
{
	struct port *landed = (struct port *)&payload_bytes;
	struct iovec owned[FRAME_SEG_MAX];
	struct segmenter s;
	struct frame f, out;
	unsigned n_owned;

	scatter(&f, bytes, len, head_len);
	n_owned = f.n_segs;
	memcpy(owned, f.seg, sizeof(owned));
	assert_true(frame_parse_l2(&f));
	f.landed = landed;
	assert_int_equal(offload_decode(hdr, &f), OFFLOAD_OK);
	assert_int_equal(segment_begin(&s, &f, 0), OFFLOAD_OK);
	assert_true(segment_next(&s, &out));
	assert_int_equal(out.len, len);
	assert_ptr_equal(out.landed, landed);
	assert_int_equal(offload_needs(&out), 0);
	gather(&out, out_bytes);
	assert_false(segment_next(&s, &out));
	for (unsigned i = 0; i < n_owned; i++)
		free(owned[i].iov_base);
}

static void check_completed(const struct description *d, uint32_t padding, unsigned head_len)
{
	static struct packet p;
	static uint8_t before[FRAME_LEN_MAX], after[FRAME_LEN_MAX];
	struct part all = { .len = d->payload, .first = true, .last = true };
	struct vnet_hdr hdr;
	uint32_t len = build_request(&p, d, before, padding, &hdr);

	complete_one(before, len, &hdr, head_len, after);
	packet_build(&p, d, &all);
	assert_memory_equal(after, p.at, len - padding);
	assert_memory_equal(after + len - padding, before + len - padding, padding);
}

static void checksums_are_completed(void **state)
{
	for (size_t i = 0; i < N_DESCRIPTIONS; i++) {
		struct description d = descriptions[i];

		for (d.payload = 0; d.payload < 60; d.payload++)
			check_completed(&d, 0, 24 + (unsigned)random() % (FRAME_HEAD_MAX - 24));
	}
}

static void padding_is_not_summed(void **state)
{
	const struct description tcp4 = { "padded", .flags = ACK, .payload = 1 };
	const struct description udp6 = { "padded", .v6 = true, .udp = true, .payload = 5 };

	for (uint32_t padding = 0; padding < 40; padding++) {
		check_completed(&tcp4, padding, 34);
		check_completed(&udp6, padding, 34);
	}
}

/* A UDP payload chosen so that the checksum comes out as zero. */
static void udp_checksum_is_never_zero(void **state)
{
	static struct packet p;
	static uint8_t bytes[FRAME_LEN_MAX], after[FRAME_LEN_MAX];
	const struct description d = { "zero", .udp = true, .payload = 100 };
	struct vnet_hdr hdr;
	uint32_t len = build_request(&p, &d, bytes, 0, &hdr);
	uint8_t *payload = bytes + (p.payload - p.at);
	uint8_t *field = after + hdr.csum_start + hdr.csum_offset;

	put16(payload, 0);
	put16(payload, (uint16_t)~naive_sum(0, bytes + hdr.csum_start, len - hdr.csum_start));
	complete_one(bytes, len, &hdr, 60, after);
	assert_int_equal(field[0] << 8 | field[1], 0xffff);
}

/* Changes one byte of a built super-frame and expects the segmenter's answer. */
static void expect(const struct description *d, size_t at, uint8_t value, enum drop_reason reason)
{
	static struct packet p;
	static uint8_t bytes[FRAME_LEN_MAX];
	const struct part all = { .len = d->payload, .first = true, .last = true, .partial = true };
	struct vnet_hdr hdr;
	struct segmenter s;
	struct frame f = { .head = f.head_room };

	packet_build(&p, d, &all);
	f.len = (uint32_t)packet_len(&p, p.at);
	memcpy(bytes, p.at, f.len);
	bytes[at] = value;
	hdr = packet_request(d, &p);
	f.n_segs = 1;
	f.seg[0] = (struct iovec) { bytes, f.len };
	assert_true(frame_pull(&f, FRAME_PULL));
	assert_true(frame_parse_l2(&f));
	assert_int_equal(offload_decode(&hdr, &f), OFFLOAD_OK);
	if (segment_begin(&s, &f, 0) != reason)
		fail_msg("%s: byte %zu = %02x", d->what, at, value);
}

static void headers_must_match_the_request(void **state)
{
	const struct description tcp4 = { "tcp4", .flags = ACK, .payload = 6000, .gso_size = 1000 };
	const struct description tcp6 = { "tcp6", .v6 = true, .payload = 6000, .gso_size = 1000 };
	const struct description udp4 = { "udp4", .udp = true, .payload = 6000, .gso_size = 1000 };

	expect(&tcp4, 14, 0x45, OFFLOAD_OK);
	expect(&tcp4, 12, 0x86, DROP_TUNNEL_GSO);   /* ethertype 8600 */
	expect(&tcp4, 14, 0x65, DROP_GSO_MISMATCH); /* version */
	expect(&tcp4, 14, 0x44, DROP_GSO_MISMATCH); /* header length */
	expect(&tcp4, 14, 0x46, DROP_GSO_MISMATCH);
	expect(&tcp4, 14 + 6, 0x20, DROP_GSO_MISMATCH); /* fragment */
	expect(&tcp4, 14 + 7, 0x01, DROP_GSO_MISMATCH);
	expect(&tcp4, 14 + 9, 17, DROP_GSO_MISMATCH); /* protocol */
	expect(&tcp6, 14, 0x40, DROP_GSO_MISMATCH);
	expect(&tcp6, 14 + 6, 17, DROP_GSO_MISMATCH);
	expect(&tcp6, 14 + 6, 44, DROP_GSO_MISMATCH);
	expect(&udp4, 14 + 9, 6, DROP_GSO_MISMATCH);
}

static void unknown_tunnels_are_refused(void **state)
{
	const struct description vxlan = { "vxlan", .tunnel = VXLAN, .flags = ACK, .payload = 6000,
		.gso_size = 1000 };
	const struct description gre = { "gre", .tunnel = GRE_KEY, .flags = ACK, .payload = 6000,
		.gso_size = 1000 };

	expect(&vxlan, 34 + 3, 4789 & 0xff, OFFLOAD_OK);
	expect(&vxlan, 34 + 3, 0x77, DROP_TUNNEL_GSO);  /* another port */
	expect(&vxlan, 14 + 6, 0x20, DROP_TUNNEL_GSO);  /* outer fragment */
	expect(&vxlan, 14 + 9, 132, DROP_TUNNEL_GSO);   /* SCTP */
	expect(&vxlan, 50 + 12, 0x88, DROP_TUNNEL_GSO); /* inner ethertype */
	expect(&vxlan, 64 + 9, 4, DROP_GSO_MISMATCH);   /* inner protocol */
	expect(&gre, 34, 0x20, OFFLOAD_OK);
	expect(&gre, 34, 0xa0, DROP_TUNNEL_GSO);     /* GRE checksum */
	expect(&gre, 34, 0x30, DROP_TUNNEL_GSO);     /* GRE sequence number */
	expect(&gre, 34 + 1, 0x01, DROP_TUNNEL_GSO); /* GRE version */
}

static void far_checksum_field_is_refused(void **state)
{
	struct frame f = { .head = f.head_room, .len = 4000, .head_len = 34 };
	const struct vnet_hdr far = { VNET_HDR_F_NEEDS_CSUM, 0, 0, 0, 250, 16 };
	struct segmenter s;

	f.n_segs = 1;
	f.seg[0] = (struct iovec) { payload_bytes, 4000 - 34 };
	assert_int_equal(offload_decode(&far, &f), OFFLOAD_OK);
	assert_int_equal(segment_begin(&s, &f, 0), DROP_HEADERS_LONG);
}

/* A segment's length would not fit its IP header's 16 bits. */
static void segments_are_ip_packets(void **state)
{
	static struct packet p;
	const struct description d = { "long", .payload = FRAME_LEN_MAX - 54, .gso_size = 65500 };
	const struct part all = { .len = d.payload, .first = true, .last = true, .partial = true };
	struct frame f = { .head = f.head_room, .len = FRAME_LEN_MAX };
	struct vnet_hdr hdr;
	struct segmenter s;

	packet_build(&p, &d, &all);
	hdr = packet_request(&d, &p);
	f.n_segs = 1;
	f.seg[0] = (struct iovec) { p.at, f.len };
	assert_true(frame_pull(&f, FRAME_PULL));
	assert_true(frame_parse_l2(&f));
	assert_int_equal(offload_decode(&hdr, &f), OFFLOAD_OK);
	assert_int_equal(segment_begin(&s, &f, 0), DROP_GSO_MISMATCH);
	f.offload.gso_size = 65495;
	assert_int_equal(segment_begin(&s, &f, 0), OFFLOAD_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_are_as_built_from_scratch),
		cmocka_unit_test(random_super_frames),
		cmocka_unit_test(checksums_are_completed),
		cmocka_unit_test(padding_is_not_summed),
		cmocka_unit_test(udp_checksum_is_never_zero),
		cmocka_unit_test(headers_must_match_the_request),
		cmocka_unit_test(unknown_tunnels_are_refused),
		cmocka_unit_test(far_checksum_field_is_refused),
		cmocka_unit_test(segments_are_ip_packets),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
