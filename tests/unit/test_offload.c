/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/datapath/offload.h"

#define CSUM VNET_HDR_F_NEEDS_CSUM
#define ECN  VNET_HDR_GSO_ECN

static uint8_t bytes[FRAME_LEN_MAX];

/* A frame of `len` of the bytes above, `head_len` of them in the head. */
static void make_frame(struct frame *f, uint32_t len, unsigned head_len)
{
	memset(f, 0, sizeof(*f));
	if (head_len > len)
		head_len = len;
	f->head = f->head_room + VLAN_TAG_LEN;
	f->len = len;
	f->head_len = (uint16_t)head_len;
	memcpy(f->head, bytes, head_len);
	if (len > head_len)
		f->seg[f->n_segs++] = (struct iovec) { bytes + head_len, len - head_len };
	assert_true(frame_parse_l2(f));
}

/* Ethernet, IPv4 without options, protocol `proto`; data offset 8 if that is TCP. */
static void make_ipv4(uint8_t proto)
{
	memset(bytes, 0, 128);
	bytes[12] = 0x08;
	bytes[14] = 0x45;
	bytes[14 + 9] = proto;
	memcpy(bytes + 14 + 12, (uint8_t[]) { 10, 0, 0, 1, 10, 0, 0, 2 }, 8);
	if (proto == 6)
		bytes[34 + 12] = 0x80;
}

/* Ethernet, IPv6, hop-by-hop options of 16 bytes, protocol `proto`. */
static void make_ipv6(uint8_t proto)
{
	memset(bytes, 0, 128);
	memcpy(bytes + 12, (uint8_t[]) { 0x86, 0xdd, 0x60 }, 3);
	bytes[14 + 6] = 0;
	bytes[14 + 8] = 0xfd;
	bytes[14 + 24] = 0xfe;
	bytes[54] = proto;
	bytes[54 + 1] = 1;
	if (proto == 6)
		bytes[70 + 12] = 0x50;
}

struct verdict {
	const char *what;
	uint32_t len;
	struct vnet_hdr hdr;
	enum drop_reason reason;
	struct offload offload;
};

/* On Ethernet + IPv4 + TCP with 12 bytes of options: 66 bytes of headers. */
static const struct verdict tcp_verdicts[] = {
	{ "plain", 60, { 0 }, OFFLOAD_OK, { 0 } },
	{ "plain, leftovers in the fields", 60, { 0, 0, 9, 9, 9, 9 }, OFFLOAD_OK, { 0 } },
	{ "unknown flags", 60, { 0xfc }, OFFLOAD_OK, { 0 } },
	{ "verified", 60, { VNET_HDR_F_DATA_VALID }, OFFLOAD_OK, { .data_valid = true } },
	{ "checksum", 60, { CSUM, 0, 0, 0, 34, 16 }, OFFLOAD_OK, { 34, 16, .needs_csum = true } },
	{ "checksum and verified", 60, { CSUM | VNET_HDR_F_DATA_VALID, 0, 0, 0, 34, 16 },
		OFFLOAD_OK, { 34, 16, .needs_csum = true } },
	{ "field at the end", 52, { CSUM, 0, 0, 0, 34, 16 }, OFFLOAD_OK,
		{ 34, 16, .needs_csum = true } },
	{ "field past the end", 51, { CSUM, 0, 0, 0, 34, 16 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "start past the end", 60, { CSUM, 0, 0, 0, 60, 0 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "sum of both wraps", 60, { CSUM, 0, 0, 0, 0xfff0, 0x0010 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "start in the Ethernet header", 60, { CSUM, 0, 0, 0, 13, 16 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "field beyond the head", 4000, { CSUM, 0, 0, 0, 3000, 6 }, OFFLOAD_OK,
		{ 3000, 6, .needs_csum = true } },

	{ "tcp", 9000, { CSUM, 1, 9, 1448, 34, 16 }, OFFLOAD_OK,
		{ 34, 16, 1448, 66, GSO_TCPV4, .needs_csum = true } },
	{ "tcp with ecn", 9000, { CSUM, 1 | ECN, 9, 1448, 34, 16 }, OFFLOAD_OK,
		{ 34, 16, 1448, 66, GSO_TCPV4, .needs_csum = true, .ecn = true } },
	{ "tcpv6", 9000, { CSUM, 4, 0xffff, 1448, 34, 16 }, OFFLOAD_OK,
		{ 34, 16, 1448, 66, GSO_TCPV6, .needs_csum = true } },
	{ "one segment", 66 + 1448, { CSUM, 1 | ECN, 9, 1448, 34, 16 }, OFFLOAD_OK,
		{ 34, 16, .needs_csum = true } },
	{ "one byte more", 66 + 1449, { CSUM, 1, 9, 1448, 34, 16 }, OFFLOAD_OK,
		{ 34, 16, 1448, 66, GSO_TCPV4, .needs_csum = true } },
	{ "no payload", 66, { CSUM, 1, 9, 1448, 34, 16 }, OFFLOAD_OK,
		{ 34, 16, .needs_csum = true } },
	{ "headers cut short", 65, { CSUM, 1, 9, 1448, 34, 16 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "no gso_size", 9000, { CSUM, 1, 9, 0, 34, 16 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "tiny segments", 300, { CSUM, 1, 9, 1, 34, 16 }, OFFLOAD_OK,
		{ 34, 16, 1, 66, GSO_TCPV4, .needs_csum = true } },
	{ "as many segments as may be", 66 + 1366, { CSUM, 1, 9, 1, 34, 16 }, OFFLOAD_OK,
		{ 34, 16, 1, 66, GSO_TCPV4, .needs_csum = true } },
	{ "too many segments", 66 + 1367, { CSUM, 1, 9, 1, 34, 16 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "wrong checksum field", 9000, { CSUM, 1, 9, 1448, 34, 6 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "data offset below 5", 9000, { CSUM, 1, 9, 1448, 38, 16 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "tcp header beyond the head", 9000, { CSUM, 1, 9, 1448, 236, 16 }, DROP_BAD_OFFLOAD,
		{ 0 } },
	{ "fragmentation", 9000, { CSUM, VNET_HDR_GSO_UDP, 9, 1448, 34, 6 }, DROP_BAD_OFFLOAD,
		{ 0 } },
	{ "unknown type", 9000, { CSUM, 2, 9, 1448, 34, 16 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "unknown high type", 9000, { CSUM, 0x41, 9, 1448, 34, 16 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "ecn alone", 9000, { CSUM, ECN, 9, 1448, 34, 16 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "ecn alone, no checksum", 9000, { 0, ECN }, DROP_BAD_OFFLOAD, { 0 } },
	{ "udp", 9000, { CSUM, 5, 9, 1448, 34, 6 }, OFFLOAD_OK,
		{ 34, 6, 1448, 42, GSO_UDP_L4, .needs_csum = true } },
	{ "udp with ecn", 9000, { CSUM, 5 | ECN, 9, 1448, 34, 6 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "udp, tcp's field", 9000, { CSUM, 5, 9, 1448, 34, 16 }, DROP_BAD_OFFLOAD, { 0 } },

	{ "tcp without checksum", 9000, { 0, 1, 9, 1448 }, OFFLOAD_OK,
		{ 34, 16, 1448, 66, GSO_TCPV4, .needs_csum = true } },
	{ "tcp verified", 9000, { VNET_HDR_F_DATA_VALID, 1, 9, 1448, 7, 7 }, OFFLOAD_OK,
		{ 34, 16, 1448, 66, GSO_TCPV4, .needs_csum = true } },
	{ "tcpv6 without checksum in IPv4", 9000, { 0, 4, 9, 1448 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "udp without checksum in tcp", 9000, { 0, 5, 9, 1448 }, DROP_BAD_OFFLOAD, { 0 } },
	{ "tcp without checksum, cut short", 50, { 0, 1, 9, 1448 }, DROP_BAD_OFFLOAD, { 0 } },
};

static void check_offload(const char *what, const struct offload *is, const struct offload *want)
{
	if (is->csum_start != want->csum_start || is->csum_offset != want->csum_offset ||
		is->gso_size != want->gso_size || is->hdr_len != want->hdr_len ||
		is->gso != want->gso || is->needs_csum != want->needs_csum ||
		is->data_valid != want->data_valid || is->ecn != want->ecn)
		fail_msg("%s: start %u offset %u size %u hdr_len %u gso %u %d%d%d", what,
			is->csum_start, is->csum_offset, is->gso_size, is->hdr_len, is->gso,
			is->needs_csum, is->data_valid, is->ecn);
}

static void requests_are_validated(void **state)
{
	make_ipv4(6);
	for (size_t i = 0; i < sizeof(tcp_verdicts) / sizeof(tcp_verdicts[0]); i++) {
		const struct verdict *v = &tcp_verdicts[i];

		for (unsigned head_len = 34; head_len <= FRAME_HEAD_MAX; head_len++) {
			struct frame f;
			enum drop_reason reason;

			make_frame(&f, v->len, head_len);
			reason = offload_decode(&v->hdr, &f);
			if (reason != v->reason)
				fail_msg("%s: reason %d, not %d", v->what, reason, v->reason);
			check_offload(v->what, &f.offload, &v->offload);
			assert_true(f.head_len >= f.offload.hdr_len);
		}
	}
}

static void checksum_field_is_pulled(void **state)
{
	const struct vnet_hdr hdr = { CSUM, 0, 0, 0, 200, 16 };
	struct frame f;

	make_ipv4(6);
	make_frame(&f, 1000, 34);
	assert_int_equal(offload_decode(&hdr, &f), OFFLOAD_OK);
	assert_true(f.head_len >= 218);
}

static void tunnelled_request_is_legal(void **state)
{
	const struct vnet_hdr hdr = { CSUM, 1, 0, 1398, 84, 16 };
	struct frame f;

	make_ipv4(17);
	bytes[84 + 12] = 0x50;
	make_frame(&f, 20000, 42);
	assert_int_equal(offload_decode(&hdr, &f), OFFLOAD_OK);
	check_offload("vxlan", &f.offload,
		&(struct offload) { 84, 16, 1398, 104, GSO_TCPV4, .needs_csum = true });
	/* A Linux that ends the tunnel would refuse it: no egress takes it unless there is no other
	 * way. */
	assert_true(f.offload.tunnelled);
	assert_false(offload_fits(&f, EGRESS_ALL));
	assert_true(offload_fits_unsliced(&f, EGRESS_ALL));
	assert_false(offload_fits_unsliced(&f, EGRESS_ALL & ~EGRESS_TSO4));
}

/* The sum of the pseudo-header, by hand and in network order. */
static uint16_t pseudo(
	const uint8_t *addresses, unsigned addresses_len, unsigned proto, unsigned len)
{
	uint32_t sum = proto + len;

	for (unsigned i = 0; i < addresses_len; i += 2)
		sum += (uint32_t)addresses[i] << 8 | addresses[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void missing_request_is_made_up(void **state)
{
	const struct vnet_hdr tcp4 = { 0, 1, 0, 1000 }, udp6 = { 0, 5, 0, 1000 };
	struct frame f;

	make_ipv4(6);
	make_frame(&f, 5000, 40);
	assert_int_equal(offload_decode(&tcp4, &f), OFFLOAD_OK);
	assert_int_equal(frame_be16(&f, 34 + 16), pseudo(bytes + 26, 8, 6, 5000 - 34));

	make_ipv6(17);
	make_frame(&f, 5000, 40);
	assert_int_equal(offload_decode(&udp6, &f), OFFLOAD_OK);
	check_offload("udp6", &f.offload,
		&(struct offload) { 70, 6, 1000, 78, GSO_UDP_L4, .needs_csum = true });
	assert_int_equal(frame_be16(&f, 70 + 6), pseudo(bytes + 22, 32, 17, 5000 - 70));
}

static void missing_request_in_a_fragment(void **state)
{
	const struct vnet_hdr tcp4 = { 0, 1, 0, 1000 }, tcp6 = { 0, 4, 0, 1000 };
	struct frame f;

	make_ipv4(6);
	bytes[14 + 6] = 0x20;
	make_frame(&f, 5000, 40);
	assert_int_equal(offload_decode(&tcp4, &f), DROP_BAD_OFFLOAD);
	bytes[14 + 6] = 0x40;
	make_frame(&f, 5000, 40);
	assert_int_equal(offload_decode(&tcp4, &f), OFFLOAD_OK);

	make_ipv6(44);
	bytes[70] = 6;
	bytes[78 + 12] = 0x50;
	make_frame(&f, 5000, 40);
	assert_int_equal(offload_decode(&tcp6, &f), DROP_BAD_OFFLOAD);
}

static void needs_and_encoding(void **state)
{
	static const struct {
		struct vnet_hdr in;
		bool v6;
		unsigned needs;
		struct vnet_hdr out; /* for an egress that takes everything */
	} cases[] = {
		{ { 0, 0, 1, 2, 3, 4 }, false, 0, { 0 } },
		{ { 2 }, false, 0, { .flags = 2 } },
		{ { 3, 0, 8, 0, 70, 16 }, true, EGRESS_CSUM, { 1, 0, 0, 0, 70, 16 } },
		{ { 1, 1, 0, 900, 34, 16 }, false, EGRESS_CSUM | EGRESS_TSO4,
			{ 1, 1, 66, 900, 34, 16 } },
		{ { 1, 1 | ECN, 0, 900, 34, 16 }, false, EGRESS_CSUM | EGRESS_TSO4 | EGRESS_ECN,
			{ 1, 1 | ECN, 66, 900, 34, 16 } },
		{ { 1, 4, 0, 900, 70, 16 }, true, EGRESS_CSUM | EGRESS_TSO6,
			{ 1, 4, 90, 900, 70, 16 } },
		{ { 1, 4 | ECN, 0, 900, 70, 16 }, true, EGRESS_CSUM | EGRESS_TSO6 | EGRESS_ECN,
			{ 1, 4 | ECN, 90, 900, 70, 16 } },
		{ { 1, 5, 0, 900, 34, 6 }, false, EGRESS_CSUM | EGRESS_USO4,
			{ 1, 5, 42, 900, 34, 6 } },
		{ { 1, 5, 0, 900, 70, 6 }, true, EGRESS_CSUM | EGRESS_USO6,
			{ 1, 5, 78, 900, 70, 6 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vnet_hdr out;
		struct frame f;

		if (cases[i].v6)
			make_ipv6(6);
		else
			make_ipv4(6);
		make_frame(&f, 5000, 128);
		assert_int_equal(offload_decode(&cases[i].in, &f), OFFLOAD_OK);
		assert_int_equal(offload_needs(&f), cases[i].needs);
		for (unsigned caps = 0; caps <= EGRESS_ALL; caps++)
			assert_int_equal(offload_fits(&f, caps), !(cases[i].needs & ~caps));
		memset(&out, 0xff, sizeof(out));
		offload_encode(&f, EGRESS_ALL, &out);
		assert_memory_equal(&out, &cases[i].out, sizeof(out));
		if (cases[i].needs)
			continue;
		offload_encode(&f, EGRESS_ALL & ~EGRESS_DATA_VALID, &out);
		assert_int_equal(out.flags, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_validated),
		cmocka_unit_test(checksum_field_is_pulled),
		cmocka_unit_test(tunnelled_request_is_legal),
		cmocka_unit_test(missing_request_is_made_up),
		cmocka_unit_test(missing_request_in_a_fragment),
		cmocka_unit_test(needs_and_encoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
