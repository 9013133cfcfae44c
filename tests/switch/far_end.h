/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A veth pair, "near" for the switch and "far" for the test. The far end is a packet socket of the
 * test's own with PACKET_VNET_HDR: it sends and receives super-frames and partial checksums as the
 * kernel of a container would.
 */

#include <stdbool.h>

#include "tests/switch/packets.h"

/* Makes the pair in this network namespace; nobody else says anything on it. */
void far_open(void);
void far_close(void);

void far_send(const struct packet *p);

/* Fails the test after RECV_MS (guests.h). */
void far_recv(struct packet *p);

/* Sends from the near end instead, as the pod's own kernel would. */
void near_send(const struct packet *p);
