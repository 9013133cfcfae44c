/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the captured frames (captured_frames.h) of ARP and neighbour discovery say. */

#include "switch/datapath/neigh_packet.h"
#include "tests/unit/captured_frames.h"

#define MAC_A "aa:fc:00:00:00:0a"
#define MAC_B "02:00:00:00:00:0b"

struct neigh_capture {
	const char *capture;
	enum neigh_kind kind;
	const char *sender, *target, *mac;
	unsigned n_macs;
	bool question, answer, probe, router, solicited, override;
};

#define N_NEIGH_CAPTURES 14
extern const struct neigh_capture neigh_captures[N_NEIGH_CAPTURES];

/* From their text; a MAC address may be NULL, and is zero then. */
struct ip_addr address(const char *text);
struct mac mac(const char *text);

void check_address(const struct ip_addr *a, const char *want);

/* neigh_parse() of a frame that is made of the bytes, none of which may change. */
enum neigh_verdict parse(
	const struct bytes *b, unsigned head_len, struct frame *f, struct neigh_packet *p);
