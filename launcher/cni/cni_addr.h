/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Addresses as numbers in order, and the networks that they are part of. */

#include <stdbool.h>

#include "lib/ip_addr.h"

#define CNI_CIDR_TEXT_MAX (IP_ADDR_TEXT_MAX + 4)

/* "10.88.0.0/16": an address and how many bits of it, of its family, are the network's. */
struct cni_cidr {
	struct ip_addr addr;
	unsigned len;
};

/* -EINVAL: it is none. */
int cni_cidr_parse(const char *text, struct cni_cidr *cidr);

/* Writes into text[CNI_CIDR_TEXT_MAX] and returns it. */
char *cni_cidr_format(const struct cni_cidr *cidr, char *text);

/* 32 or 128. */
unsigned cni_addr_bits(const struct ip_addr *addr);

/* Less than, equal to or greater than 0, as of strcmp(3). All of IPv4 is together. */
int cni_addr_compare(const struct ip_addr *a, const struct ip_addr *b);

/* Its address with all of the host's bits 0, or all 1. */
struct ip_addr cni_cidr_lowest(const struct cni_cidr *cidr);
struct ip_addr cni_cidr_highest(const struct cni_cidr *cidr);

bool cni_cidr_has(const struct cni_cidr *cidr, const struct ip_addr *addr);

/* One further, one back. There is none behind the last. */
struct ip_addr cni_addr_next(struct ip_addr addr);
struct ip_addr cni_addr_previous(struct ip_addr addr);
