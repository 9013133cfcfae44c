/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/machine_prefix.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_len(const char *text, unsigned max, unsigned *len)
{
	char *end;

	if (!isdigit((unsigned char)text[0]) || strlen(text) > 3)
		return false;
	*len = (unsigned)strtoul(text, &end, 10);
	return *end == '\0' && *len <= max;
}

int machine_prefix_parse(const char *text, int family, struct machine_prefix *prefix)
{
	unsigned len = machine_prefix_len_max(family);
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char host[IP_ADDR_TEXT_MAX];
	struct ip_addr addr;

	if (strcmp(text, "default") == 0) {
		*prefix = (struct machine_prefix) { .len = 0 };
		return 0;
	}
	if (n >= sizeof(host) || (slash != NULL && !parse_len(slash + 1, len, &len)))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (ip_addr_parse(host, &addr) < 0 || machine_family_of(&addr) != family)
		return -EINVAL;
	*prefix = (struct machine_prefix) { .len = (uint8_t)len };
	if (len > 0)
		prefix->addr = addr;
	return 0;
}

char *machine_prefix_format(const struct machine_prefix *prefix, int family, char *text)
{
	char host[IP_ADDR_TEXT_MAX];

	if (prefix->len == 0)
		return strcpy(text, "default");
	ip_addr_format(&prefix->addr, host);
	if (prefix->len == machine_prefix_len_max(family))
		return strcpy(text, host);
	snprintf(text, MACHINE_PREFIX_TEXT_MAX, "%s/%u", host, prefix->len);
	return text;
}
