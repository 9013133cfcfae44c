/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/ip_addr.h"

#include <errno.h>

#include <arpa/inet.h>

bool ip_addr_is_unspecified(const struct ip_addr *a)
{
	static const struct ip_addr v6;
	static const struct ip_addr v4 = { { [10] = 0xff, [11] = 0xff } };

	return ip_addr_equal(a, &v4) || ip_addr_equal(a, &v6);
}

bool ip_addr_is_multicast(const struct ip_addr *a)
{
	static const uint8_t broadcast[4] = { 0xff, 0xff, 0xff, 0xff };

	if (!ip_addr_is_v4(a))
		return a->byte[0] == 0xff;
	return a->byte[12] >> 4 == 0xe || memcmp(a->byte + 12, broadcast, 4) == 0;
}

bool ip_addr_is_link_local(const struct ip_addr *a)
{
	return a->byte[0] == 0xfe && a->byte[1] >> 6 == 2;
}

bool ip_addr_is_loopback(const struct ip_addr *a)
{
	static const struct ip_addr v6 = { { [15] = 1 } };

	return ip_addr_is_v4(a) ? a->byte[12] == 127 : ip_addr_equal(a, &v6);
}

bool ip_addr_is_host(const struct ip_addr *a)
{
	return !ip_addr_is_unspecified(a) && !ip_addr_is_multicast(a) && !ip_addr_is_loopback(a);
}

char *ip_addr_format(const struct ip_addr *a, char *text)
{
	if (ip_addr_is_v4(a))
		(void)inet_ntop(AF_INET, a->byte + 12, text, IP_ADDR_TEXT_MAX);
	else
		(void)inet_ntop(AF_INET6, a->byte, text, IP_ADDR_TEXT_MAX);
	return text;
}

int ip_addr_parse(const char *text, struct ip_addr *a)
{
	struct ip_addr v6;
	uint8_t v4[4];

	if (inet_pton(AF_INET, text, v4) == 1)
		*a = ip_addr_v4(v4);
	else if (inet_pton(AF_INET6, text, v6.byte) == 1 && !ip_addr_is_v4(&v6))
		*a = v6;
	else
		return -EINVAL;
	return 0;
}
