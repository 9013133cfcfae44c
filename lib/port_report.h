/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which TCP ports a guest listens on, as its agent tells it (vsock port AGENT_PORTS_PORT): to who
 * connects there it says all of them, and all again whenever they change, each time in one line:
 *
 *   {"ports":[{"port":80,"address":"0.0.0.0"},{"port":8080,"address":"127.0.0.1"}]}
 *
 * A socket bound to :: that takes IPv4 as well is there twice, the second time as 0.0.0.0.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/ip_addr.h"

#define PORT_REPORT_MAX      1024
#define PORT_REPORT_LINE_MAX (PORT_REPORT_MAX * 96)

struct port_listener {
	struct ip_addr address;
	uint16_t port;
};

/* A set of them, in order: by port, then by address. */
struct port_report {
	size_t n;
	struct port_listener item[PORT_REPORT_MAX];
};

/* As strcmp(). */
int port_listener_compare(const struct port_listener *a, const struct port_listener *b);

/* Adds one, unless it is there. False: there is no room. */
bool port_report_add(struct port_report *report, const struct ip_addr *address, uint16_t port);

/* The line, without its newline: to be freed. NULL: no memory. */
char *port_report_format(const struct port_report *report);

/* A line without its newline; any bytes. -EPROTO: it is no report, and *err says why, in words of
 * ours; *report is then nobody's. */
int port_report_parse(const char *line, size_t len, struct port_report *report, struct err *err);
