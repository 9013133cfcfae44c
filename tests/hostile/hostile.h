/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A guest, or its VMM, that means harm to the switch at the other end of a vhost-user socket.
 *
 * An attack is one row of a table: its name, what it has to cost, what it does. Its function is
 * one round; main.c calls it until the time is up, so a round ends within a fraction of a second,
 * connects if it finds itself thrown out, and goes through its variants by the round's number.
 *
 * This program judges nothing but what it can see itself: whether it was thrown out. What else
 * an attack did, to the port and above all to others, is judged by tests/integration/
 * test_hostile.py, which runs it. The program fails only if there is no switch to attack any
 * more.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tests/fakes/front_net.h"
#include "tests/fakes/vhost_frontend.h"
#include "tests/tools/endpoint.h"

struct assault {
	const char *socket;
	struct frontend f;
	bool open; /* f is initialised; it may have been hung up on */
	struct byte_stream random;
	uint64_t n_disconnects; /* the switch hung up */
	uint64_t n_survived;    /* assault_must_end() without being thrown out */
	uint64_t n_messages;
	uint64_t n_chains; /* offered on rings */
	uint64_t round;    /* from 0 */
};

struct attack {
	const char *name;
	/*
	 * "hangup": each round ends the connection; a drop reason: the port counts frames under it;
	 * "passes": its frames reach others; "-": no single thing.
	 */
	const char *cost;
	void (*round)(struct assault *a);
	const char *help;
};

/* Each ends with a row without a name. */
extern const struct attack frame_attacks[], memory_attacks[], protocol_attacks[], ring_attacks[],
	session_attacks[], signal_attacks[];

/* Every feature there is, two regions of memory. */
extern const struct frontend_options assault_options;

/* A new connection with running queues. False if the switch hung up on the way. */
bool assault_connect(struct assault *a, const struct frontend_options *options);

/* A new connection and nothing sent on it; guest memory and queues are there. */
void assault_dial(struct assault *a);

/* Goes on with the present connection if there is one, or makes one with all features. */
bool assault_go_on(struct assault *a);

/* Closes everything; counts a hang-up that has happened. */
void assault_close(struct assault *a);

/* Waits for the switch to hang up; counts the outcome. Closes everything. */
void assault_must_end(struct assault *a);

/* The switch has hung up. */
bool assault_thrown_out(const struct assault *a);

/* Offers the chain that begins at `head` and kicks, whether the switch asked for it or not. */
void assault_offer(struct assault *a, unsigned queue, uint16_t head);

/* Writes the kick descriptor. */
void assault_kick(struct assault *a, unsigned queue);

/* Waits until the switch has given back all that was offered to transmit, or has hung up, or
 * `timeout_ms` have passed. */
void assault_settle(struct assault *a, int timeout_ms);

void assault_nap_us(unsigned us);

/* A number in [0, n). */
uint64_t assault_random(struct assault *a, uint64_t n);

/* ---- frames.c: what a frame looks like ---- */

#define MAC_LEN 6

/* The addresses of guest `index` and of everybody. */
void frame_mac(uint8_t *mac, unsigned index);

/* 14 bytes from guest 1 (the attacker) to guest 0, of an EtherType that nobody listens to. */
void frame_ethernet(uint8_t *frame);

/*
 * IPv4 with TCP or UDP (`proto`) from guest 1 to guest 0, `len` bytes in all (at least 54), with
 * the pseudo-header's sum in the checksum field. The matching offload request without
 * segmentation is stored in *hdr.
 */
void frame_transport(uint8_t *frame, uint32_t len, uint8_t proto, struct virtio_net_hdr *hdr);

/* ---- well_behaved.c ---- */

/*
 * What an honest guest would do: connects, and asks the peer and guest 0 for their addresses by
 * ARP, `n` times each. Returns the number of answers, or -1 with a line on stderr.
 */
int well_behaved(const char *socket, unsigned n);
