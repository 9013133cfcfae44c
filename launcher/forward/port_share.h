/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Where a guest's connections to programs of the pod arrive (AGENT_SHARED_PORT, lib/agent_wire.h):
 * it says which TCP port it means, and gets a stream to that port of the pod's 127.0.0.1, or else
 * ::1, if the port is one of those that are shared with it. Any other is refused: so are more
 * connections than there may be. What is refused is counted, and the first of it logged.
 *
 * Thread-safety: of one thread and its event loop.
 */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "config/shared_ports.h"
#include "lib/err.h"

struct event_base;
struct port_share;

#define PORT_SHARE_LINE_MAX 6 /* "65535\n" */

/* What a guest says, without its newline: 1 to 65535, as one writes it. -EPROTO: it is no port. */
int port_share_parse(const char *line, size_t len, uint16_t *port);

/* Listens at `path`, the VM's vsock socket with "_1027" behind it. `ports` is copied. */
int port_share_start(struct event_base *loop, const char *path, const struct shared_ports *ports,
	unsigned n_conns_max, struct port_share **out, struct err *err);

/* { connections, refused }: a new reference. */
json_t *port_share_status(const struct port_share *share);

/* Ends all connections and removes the socket. May be NULL. */
void port_share_free(struct port_share *share);
