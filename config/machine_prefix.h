/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A route's destination as ip(8) writes it: "default", "10.0.0.0/8", an address alone is a host. */

#include "config/machine_net.h"

#define MACHINE_PREFIX_TEXT_MAX (IP_ADDR_TEXT_MAX + 4)

/* 32 or 128. */
static inline uint8_t machine_prefix_len_max(int family)
{
	return family == AF_INET ? 32 : 128;
}

static inline int machine_family_of(const struct ip_addr *addr)
{
	return ip_addr_is_v4(addr) ? AF_INET : AF_INET6;
}

/* -EINVAL: it is none of that family; *prefix is then untouched. */
int machine_prefix_parse(const char *text, int family, struct machine_prefix *prefix);

/* Writes it into text[MACHINE_PREFIX_TEXT_MAX] and returns it. */
char *machine_prefix_format(const struct machine_prefix *prefix, int family, char *text);
