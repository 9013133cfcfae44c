/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* TCP ports of programs that share a pod with a VM: "8080,9090", "tcp/8080,tcp/9000-9003". */

#include <stdint.h>

#include "config/l4_ports.h"
#include "lib/err.h"

#define SHARED_PORTS_MAX 32

struct shared_ports {
	struct l4_ports ranges; /* the same ports */
	uint16_t port[SHARED_PORTS_MAX];
	uint8_t n;
};

/* An empty text is an empty list. -EINVAL: it is no such list; -E2BIG: more than SHARED_PORTS_MAX.
 * *ports is set on success only. */
int shared_ports_parse(const char *text, struct shared_ports *ports, struct err *err);
