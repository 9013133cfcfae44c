/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A kernel network interface, as the kernel described it a moment ago. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/mac.h"

#define LINK_NAME_MAX 16 /* with NUL: IFNAMSIZ */

struct link_info {
	int ifindex;
	char name[LINK_NAME_MAX];
	bool up;      /* administratively */
	bool running; /* carrier, and the other end of a veth is up */
	uint32_t mtu;
	struct mac mac; /* zero if it has none, or not of six bytes */
};
