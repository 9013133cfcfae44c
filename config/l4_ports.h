/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A list of TCP and UDP ports: "tcp/80,udp/53-60,tcp/8000-8100". Always in order, TCP first, with
 * what overlaps or touches as one range: two lists of the same ports are equal, and whoever makes a
 * filter of one need not look for overlaps.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define L4_PORTS_MAX 32

/* Of a full list as text: "tcp/60000-65535," each. */
#define L4_PORTS_TEXT_MAX (L4_PORTS_MAX * 16 + 1)

enum l4_protocol { L4_TCP, L4_UDP };

struct l4_port_range {
	enum l4_protocol protocol;
	uint16_t first, last; /* both belong to it; never 0 */
};

struct l4_ports {
	size_t n;
	struct l4_port_range range[L4_PORTS_MAX];
};

/* "tcp" or "udp". */
const char *l4_protocol_name(enum l4_protocol protocol);

/*
 * An entry is PROTOCOL/PORT or PROTOCOL/FIRST-LAST; there is at least one, and no blanks. -EINVAL:
 * it is not such a list; -E2BIG: more than L4_PORTS_MAX ranges, merged. *ports is set on success
 * only.
 */
int l4_ports_parse(const char *text, struct l4_ports *ports, struct err *err);

/* Adds a range. -E2BIG: it would be one too many; *ports is then as before. */
int l4_ports_add(struct l4_ports *ports, struct l4_port_range range);

bool l4_ports_has(const struct l4_ports *ports, enum l4_protocol protocol, uint16_t port);

/* Writes what l4_ports_parse() makes the same of into text[L4_PORTS_TEXT_MAX] and returns it; an
 * empty list is the empty string. */
char *l4_ports_format(const struct l4_ports *ports, char *text);

/*
 * Reads a file that has such a list in its only line; an empty one is the empty list. A negative
 * errno: it cannot be read, or as l4_ports_parse(); *ports is set on success only.
 */
int l4_ports_read(const char *path, struct l4_ports *ports, struct err *err);
