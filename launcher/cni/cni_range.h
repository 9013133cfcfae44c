/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The addresses that containers are given, said as the plugin host-local has it: `ranges` is an
 * array of sets, a set an array of ranges. A container gets one address of each set (one of IPv4
 * and one of IPv6, say), of the first of its ranges that has one left. `subnet` and the other keys
 * of a range may also stand alone: that is the first set.
 */

#include <jansson.h>

#include "launcher/cni/cni_addr.h"
#include "lib/err.h"

#define CNI_RANGES_MAX 32

struct cni_range {
	struct cni_cidr subnet;
	struct ip_addr first, last; /* of those to be given, the gateway excepted */
	struct ip_addr gateway;
	unsigned set;
};

struct cni_ranges {
	size_t n, n_sets;
	struct cni_range range[CNI_RANGES_MAX]; /* those of a set are together */
};

/* Of a network configuration; one without any has none. -EINVAL, with the key that is wrong. */
int cni_ranges_read(const json_t *config, struct cni_ranges *ranges, struct err *err);

bool cni_range_has(const struct cni_range *range, const struct ip_addr *addr);

/* Whether somebody has the address. */
typedef bool (*cni_addr_taken_fn)(const struct ip_addr *addr, const void *context);

/*
 * An address of a set that nobody has, and no gateway, with its range; NULL: there is none. It is
 * the next one behind `after`, which was given last, or the first if that is NULL or of no range:
 * so an address is not given again while it may still be known as that of another container. Asks
 * for hardly more addresses than are taken.
 */
const struct cni_range *cni_ranges_pick(const struct cni_ranges *ranges, unsigned set,
	const struct ip_addr *after, cni_addr_taken_fn taken, const void *context,
	struct ip_addr *addr);
