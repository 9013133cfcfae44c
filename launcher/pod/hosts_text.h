/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A guest's /etc/hosts: the pod's own, with what a kubelet and people (hostAliases) have put in it,
 * and ahead or behind of it, if it does not say so already, what every container finds in there:
 * localhost, and its own name with its addresses.
 *
 * A container cannot be trusted with its file: lines that are not printable ASCII are left out.
 */

#include <stddef.h>

#include "lib/ip_addr.h"

#define HOSTS_PATH     "/etc/hosts"
#define HOSTS_SIZE_MAX (256 * 1024)

/* What it is to have in any case. */
struct hosts_own {
	const char *hostname; /* "": none */
	const struct ip_addr *addrs;
	size_t n_addrs;
};

/* Of `size` bytes of the pod's. To be freed; NULL: no memory. */
char *hosts_text(const char *pods, size_t size, const struct hosts_own *own);
