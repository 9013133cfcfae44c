/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Ethernet addresses: six bytes in wire order, and their text form. */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAC_TEXT_MAX 18 /* "aa:bb:cc:dd:ee:ff" and NUL */

struct mac {
	uint8_t byte[6];
};

/* Writes the lower-case colon form into text[MAC_TEXT_MAX] and returns it. */
char *mac_format(const struct mac *mac, char *text);

/* Accepts exactly "xx:xx:xx:xx:xx:xx" in either case. -EINVAL otherwise; *mac is then untouched. */
int mac_parse(const char *text, struct mac *mac);

static inline bool mac_is_multicast(const struct mac *mac)
{
	return mac->byte[0] & 1;
}

/* 01:80:c2:00:00:00 to :0f, which bridges keep to themselves: STP, LACP, LLDP (IEEE 802.1Q 8.6.3).
 */
static inline bool mac_is_reserved(const struct mac *mac)
{
	static const struct mac base = { { 0x01, 0x80, 0xc2 } };

	return memcmp(mac, &base, 5) == 0 && mac->byte[5] < 0x10;
}

static inline bool mac_is_zero(const struct mac *mac)
{
	static const struct mac zero;

	return memcmp(mac, &zero, sizeof(zero)) == 0;
}
