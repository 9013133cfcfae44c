/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Veth pairs for tests of the packet port. The port sits on one end; the other end is a packet
 * socket of the test's own with PACKET_VNET_HDR: it sends and receives super-frames and partial
 * checksums as the kernel of a container would.
 */

#include "tests/switch/packets.h"
#include "tests/switch/testbed.h"

/* Both ends up, without kernel traffic of their own. `index`: the near end's; 0: any. */
void wire_create(const char *near, const char *far, int index);
/* Either end; both go. No error if it is not there. */
void wire_delete(const char *end);

/* A socket on this end, which hears what comes in by it; fails the test if there is none. */
int wire_open(const char *end);
/* The same, but -1. */
int wire_try_open(const char *end);
void wire_send(int fd, const struct packet *p);
void wire_recv(int fd, struct packet *p);
/* False if nothing came in time. */
bool wire_try_recv(int fd, struct packet *p, int timeout_ms);

/* What `port show` says about a port: a string or number as text, "-" if it is not there. */
const char *wire_status(struct testbed *t, const char *port, const char *key);
/* Waits until it says so; fails the test after 5 s. */
void wire_wait_status(struct testbed *t, const char *port, const char *key, const char *value);
