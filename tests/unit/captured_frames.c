/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/captured_frames.h"

#include <stddef.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/packet_builder.h"

static const struct captured {
	const char *name, *hex;
} captured[] = {
	{ "arp_request", "ffffffffffffaafc0000000a08060001080006040001aafc0000000a0a00000100000000"
			 "00000a000002" },
	{ "arp_request_to_station",
		"aafc0000000a02000000000b0806000108000604000102000000000b0a00000200000000"
		"00000a000001" },
	{ "arp_reply", "aafc0000000a02000000000b0806000108000604000202000000000b0a000002aafc0000"
		       "000a0a000001" },
	{ "arp_probe", "ffffffffffffaafc0000000a08060001080006040001aafc0000000a00000000ffffffff"
		       "ffff0a00004d" },
	{ "arp_announcement",
		"ffffffffffffaafc0000000a08060001080006040001aafc0000000a0a000001ffffffff"
		"ffff0a000001" },
	{ "solicit_probe",
		"3333ff00000aaafc0000000a86dd6000000000203aff0000000000000000000000000000"
		"0000ff0200000000000000000001ff00000a87009f5300000000fd000000000000000000"
		"00000000000a0e01a6b26df3bb90" },
	{ "solicit", "3333ff00000baafc0000000a86dd6000000000203afffd00000000000000a8fc00fffe00"
		     "000aff0200000000000000000001ff00000b87002c7a00000000fd000000000000000000"
		     "00000000000b0101aafc0000000a" },
	{ "solicit_to_station",
		"aafc0000000a02000000000b86dd6000000000203afffe80000000000000000000fffe00"
		"000bfd00000000000000a8fc00fffe00000a87002dfe00000000fd00000000000000a8fc"
		"00fffe00000a010102000000000b" },
	{ "advert", "aafc0000000a02000000000b86dd6000000000203afffd00000000000000000000000000"
		    "000bfd00000000000000a8fc00fffe00000a8800f478e0000000fd000000000000000000"
		    "00000000000b020102000000000b" },
	{ "advert_without_mac",
		"aafc0000000a02000000000b86dd6000000000183afffe80000000000000000000fffe00"
		"000bfe80000000000000a8fc00fffe00000a8800160dc0000000fe800000000000000000"
		"00fffe00000b" },
	{ "advert_unasked",
		"333300000001aafc0000000a86dd6000000000203afffd00000000000000000000000000"
		"000aff0200000000000000000000000000018800b18320000000fd000000000000000000"
		"00000000000a0201aafc0000000a" },
	{ "router_solicit",
		"333300000002aafc0000000a86dd6000000000103afffe80000000000000a8fc00fffe00"
		"000aff02000000000000000000000000000285002921000000000101aafc0000000a" },
	{ "router_advert",
		"33330000000102000000000b86dd600634e900503afffe80000000000000000000fffe00"
		"000bff020000000000000000000000000001860058eb4000000c00000000000000000304"
		"40c0000151800000384000000000fd000000000000000000000000000000190300000000"
		"0004fd000000000000000000000000000053010102000000000b" },
	{ "redirect", "aafc0000000a02000000000b86dd6000000000a03afffe80000000000000000000fffe00"
		      "000bfd00000000000000a8fc00fffe00000a8900827d00000000fd010000000000000000"
		      "000000000009fd0100000000000000000000000000090201020000000009040e00000000"
		      "00006003b4dc00403a40fd00000000000000a8fc00fffe00000afd010000000000000000"
		      "0000000000098000b087374300000a8eeb19000000000000000000000000000000000000"
		      "00000000000000000000000000000000000000000000000000000000000000000000" },
	{ "dhcp_discover",
		"ffffffffffffaafc0000000a08004500014800000000401179a600000000ffffffff0044"
		"00430134468c01010600134f09330000000000000000000000000000000000000000aafc"
		"0000000a0000000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000063825363350101390202"
		"4037070103060c0f1c2a0c0567756573743c0c756468637020312e33352e303d0701aafc"
		"0000000aff00000000000000000000000000" },
	{ "dhcp_offer", "ffffffffffff02000000000b0800450001480000000040116fa40a000002ffffffff0043"
			"0044013407aa02010600134f093300000000000000000a0000350000000000000000aafc"
			"0000000a0000000000000000000000000000000000000000000000000000000000000000"
			"000000000000000000000000000000000000000000000000000000000000000000000000"
			"000000000000000000000000000000000000000000000000000000000000000000000000"
			"000000000000000000000000000000000000000000000000000000000000000000000000"
			"000000000000000000000000000000000000000000000000000000000000000000000000"
			"00000000000000000000000000000000000000000000000000006382536335010236040a"
			"0000023304000d2f000104ffffff0003040a000002ff0000000000000000000000000000"
			"000000000000000000000000000000000000" },
};

static uint8_t digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static const char *find(const char *name)
{
	for (unsigned i = 0; i < sizeof(captured) / sizeof(captured[0]); i++)
		if (strcmp(captured[i].name, name) == 0)
			return captured[i].hex;
	fail_msg("no such capture: %s", name);
	return "";
}

void captured_bytes(struct bytes *b, const char *name)
{
	const char *hex = find(name);

	memset(b, 0, sizeof(*b));
	for (; *hex; hex += 2)
		b->byte[b->len++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
	b->l3 = ETH_HEADER_LEN;
}

void bytes_insert(struct bytes *b, unsigned at, const void *data, unsigned len)
{
	assert_true(b->len + len <= sizeof(b->byte));
	memmove(b->byte + at + len, b->byte + at, b->len - at);
	memmove(b->byte + at, data, len); /* it may be a part of the same */
	b->len += len;
}

void bytes_tag(struct bytes *b, uint16_t tpid, uint16_t tci)
{
	uint8_t tag[VLAN_TAG_LEN];

	put16(tag, tpid);
	put16(tag + 2, tci);
	bytes_insert(b, 12, tag, sizeof(tag));
	b->l3 += VLAN_TAG_LEN;
}

void bytes_frame(const struct bytes *b, unsigned head_len, struct frame *f)
{
	memset(f, 0, sizeof(*f));
	f->head = f->head_room + VLAN_TAG_LEN;
	f->len = b->len;
	f->head_len = (uint16_t)(head_len < b->len ? head_len : b->len);
	memcpy(f->head, b->byte, f->head_len);
	if (f->head_len < f->len)
		f->seg[f->n_segs++] =
			(struct iovec) { (void *)(b->byte + f->head_len), f->len - f->head_len };
	assert_true(frame_parse_l2(f));
}

void frame_bytes(const struct frame *f, struct bytes *b)
{
	memset(b, 0, sizeof(*b));
	memcpy(b->byte, f->head, f->head_len);
	b->len = f->head_len;
	for (unsigned i = 0; i < f->n_segs; i++) {
		memcpy(b->byte + b->len, f->seg[i].iov_base, f->seg[i].iov_len);
		b->len += (unsigned)f->seg[i].iov_len;
	}
	assert_int_equal(b->len, f->len);
	b->l3 = f->l3_offset;
}

/* The sum over the `len` bytes at l4 and the pseudo-header, complemented: 0 if the checksum holds.
 */
static uint16_t verify(const uint8_t *addresses, unsigned addresses_len, unsigned proto,
	const uint8_t *l4, unsigned len)
{
	uint32_t sum = naive_sum(0, addresses, addresses_len);

	sum = naive_sum(sum + proto + len, l4, len);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

uint16_t bytes_verify_icmp6(const struct bytes *b)
{
	const uint8_t *ip = b->byte + b->l3;

	assert_int_equal(ip[6], 58);
	return verify(ip + 8, 32, 58, ip + 40, (unsigned)ip[4] << 8 | ip[5]);
}

uint16_t bytes_verify_udp4(const struct bytes *b)
{
	const uint8_t *ip = b->byte + b->l3, *udp = ip + (ip[0] & 0xf) * 4;

	assert_int_equal(ip[9], 17);
	return verify(ip + 12, 8, 17, udp, (unsigned)udp[4] << 8 | udp[5]);
}
