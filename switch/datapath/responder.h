/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The neighbour responder: answers ARP requests and neighbour solicitations of guests and of the
 * host port on behalf of those whose address is known here. A guest with a /32 address and a
 * gateway that no network announces (a PERMANENT entry in the pod's kernel is all there is) works
 * so with nothing but its address and a default route.
 *
 *   asked for                                     answered with
 *   the identity address                          the host port's MAC
 *   another guest's address                       that guest's
 *   the other address of the asker's /31          the gateway's (`point-to-point`)
 *   a gateway's, a permanent neighbour's          as the neighbour cache has it
 *   anybody's, on an uplink without link layer    an invented one
 *   the asker's own (it looks for duplicates)     never
 *   another guest's that has said nothing yet     not here: the question goes to the guests
 *   anything else                                 not here: the question goes to the network
 *
 * Questions that are sent straight to a station, to see whether it is alive, are answered as well.
 */

#include "switch/datapath/neigh_packet.h"
#include "switch/datapath/pod.h"

/* Questions per second that a guest may send on to the network; more are dropped. */
#define RESPONDER_QUESTIONS_PER_S 1000

/*
 * What becomes of a question that came in by port `from` (a guest or the host port): POD_ANSWER,
 * POD_FLOOD (the network may know), POD_GUESTS or POD_DROP.
 */
struct pod_verdict responder_ask(const struct pod *pod, struct pod_worker *w, uint16_t from,
	const struct neigh_packet *question, uint32_t now_s);
