/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_addr.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

unsigned cni_addr_bits(const struct ip_addr *addr)
{
	return ip_addr_is_v4(addr) ? 32 : 128;
}

int cni_cidr_parse(const char *text, struct cni_cidr *cidr)
{
	const char *slash = strchr(text, '/');
	char host[IP_ADDR_TEXT_MAX];
	struct cni_cidr out;
	char *end;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	if (ip_addr_parse(host, &out.addr) < 0)
		return -EINVAL;
	if (!isdigit((unsigned char)slash[1]) || strlen(slash + 1) > 3)
		return -EINVAL;
	out.len = (unsigned)strtoul(slash + 1, &end, 10);
	if (*end != '\0' || out.len > cni_addr_bits(&out.addr))
		return -EINVAL;
	*cidr = out;
	return 0;
}

char *cni_cidr_format(const struct cni_cidr *cidr, char *text)
{
	char host[IP_ADDR_TEXT_MAX];

	snprintf(text, CNI_CIDR_TEXT_MAX, "%s/%u", ip_addr_format(&cidr->addr, host), cidr->len);
	return text;
}

int cni_addr_compare(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a->byte, b->byte, sizeof(a->byte));
}

/* The host's bits of the i-th of the sixteen bytes. */
static uint8_t host_bits(const struct cni_cidr *cidr, unsigned i)
{
	unsigned fixed = 128 - cni_addr_bits(&cidr->addr) + cidr->len;

	if (fixed >= 8 * (i + 1))
		return 0;
	return fixed <= 8 * i ? 0xff : (uint8_t)(0xff >> (fixed - 8 * i));
}

struct ip_addr cni_cidr_lowest(const struct cni_cidr *cidr)
{
	struct ip_addr addr = cidr->addr;

	for (unsigned i = 0; i < sizeof(addr.byte); i++)
		addr.byte[i] &= (uint8_t)~host_bits(cidr, i);
	return addr;
}

struct ip_addr cni_cidr_highest(const struct cni_cidr *cidr)
{
	struct ip_addr addr = cidr->addr;

	for (unsigned i = 0; i < sizeof(addr.byte); i++)
		addr.byte[i] |= host_bits(cidr, i);
	return addr;
}

bool cni_cidr_has(const struct cni_cidr *cidr, const struct ip_addr *addr)
{
	const struct ip_addr lowest = cni_cidr_lowest(cidr), highest = cni_cidr_highest(cidr);

	return ip_addr_is_v4(addr) == ip_addr_is_v4(&cidr->addr) &&
	       cni_addr_compare(addr, &lowest) >= 0 && cni_addr_compare(addr, &highest) <= 0;
}

struct ip_addr cni_addr_next(struct ip_addr addr)
{
	for (size_t i = sizeof(addr.byte); i > 0 && ++addr.byte[i - 1] == 0; i--)
		;
	return addr;
}

struct ip_addr cni_addr_previous(struct ip_addr addr)
{
	for (size_t i = sizeof(addr.byte); i > 0 && addr.byte[i - 1]-- == 0; i--)
		;
	return addr;
}
