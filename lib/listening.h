/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Which TCP ports of this network namespace are listened on. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/ip_addr.h"

struct listening {
	struct ip_addr address;
	uint16_t port;
	bool dual; /* bound to ::, and takes IPv4 as well */
};

typedef void listening_found(void *owner, const struct listening *one);

/* Tells of each, some perhaps twice. 0, or a negative errno: that was not all. */
int listening_each(listening_found *found, void *owner);

/* How that is done: by sock_diag(7), or where the kernel has no tcp_diag as /proc/net/tcp6 shows
 * it, which does not tell whether a socket is `dual`: they all are then. */
int listening_ask(listening_found *found, void *owner);
int listening_read(listening_found *found, void *owner);
