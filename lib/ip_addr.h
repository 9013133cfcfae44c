/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * IP addresses of both families as one 16-byte value: IPv4 ones are IPv4-mapped (::ffff:a.b.c.d,
 * RFC 4291, section 2.5.5.2), so that a table or a comparison need not know the family.
 */

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define IP_ADDR_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

struct ip_addr {
	uint8_t byte[16];
} __attribute__((aligned(8)));

/* From four, or sixteen, bytes in wire order. Made of whole words, as it is going to be read. */
static inline struct ip_addr ip_addr_v4(const void *wire)
{
	struct ip_addr a;
	uint64_t word[2] = { 0 };
	uint32_t v4;

	memcpy(&v4, wire, sizeof(v4));
	word[1] = htole64((uint64_t)le32toh(v4) << 32 | 0xffff0000);
	memcpy(&a, word, sizeof(a));
	return a;
}

static inline struct ip_addr ip_addr_v6(const void *wire)
{
	struct ip_addr a;

	memcpy(a.byte, wire, sizeof(a.byte));
	return a;
}

static inline bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->byte, prefix, sizeof(prefix)) == 0;
}

/* 0.0.0.0 or ::, which stand for "none yet". */
bool ip_addr_is_unspecified(const struct ip_addr *a);

/* 224.0.0.0/4, ff00::/8, and 255.255.255.255. */
bool ip_addr_is_multicast(const struct ip_addr *a);

/* fe80::/10, which is another network on every link. Not 169.254.0.0/16. */
bool ip_addr_is_link_local(const struct ip_addr *a);

/* 127.0.0.0/8 or ::1. */
bool ip_addr_is_loopback(const struct ip_addr *a);

/* A host can have it: neither unspecified nor multicast nor loopback. */
bool ip_addr_is_host(const struct ip_addr *a);

/* Writes its text form into text[IP_ADDR_TEXT_MAX] and returns it. */
char *ip_addr_format(const struct ip_addr *a, char *text);

/* Accepts what inet_pton(3) does, and no mapped form. -EINVAL otherwise; *a is then untouched. */
int ip_addr_parse(const char *text, struct ip_addr *a);
