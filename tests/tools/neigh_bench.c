/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many ARP requests a second the switch answers: a guest that does nothing but ask.
 *
 *   neigh_bench SOCKET MS MAC IP {NEIGHBOUR_IP NEIGHBOUR_MAC}...
 *
 * A front-end of vhost-user at SOCKET asks, as the guest MAC with the address IP, for the
 * neighbours in turn, of which the switch must know each. It asks for WARM_UP_MS, is measured for
 * MS, and then takes the answers that are still missing. Ends with one JSON object.
 *
 * As many questions are under way as the rings hold, and no more: there is a receive buffer for
 * every answer. So nothing may be lost, and since the switch takes a ring in its order the n-th
 * answer belongs to the n-th question: each is compared with the one frame it must be. Anything
 * else that arrives, or silence for SILENCE_US, is a failure.
 *
 * The program must not be what limits the figure. It never sleeps and asks not to be woken; its
 * questions are written once, one to a descriptor, and offered again and again; and both rings
 * are told of a burst at a time, since every store to an index that the other CPU reads costs
 * both of them a cache line's way.
 */
#include <arpa/inet.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakes/front_net.h"
#include "tests/tools/endpoint.h"

#define N_NEIGHBOURS_MAX 64
#define RING_SIZE        256u
#define BURST            32u /* questions that are worth telling the switch of */
#define ARP_LEN          42u
#define HEADER_LEN       12u
#define BUFFER_LEN       64u /* of a question: a cache line */
#define WARM_UP_MS       500
#define SILENCE_US       1000000

struct station {
	uint8_t ip[4];
	uint8_t mac[6];
};

struct conversation {
	struct frontend f;
	struct station guest, neighbour[N_NEIGHBOURS_MAX];
	unsigned n_neighbours;
	/* Of the question in each descriptor. */
	uint8_t answer[RING_SIZE][ARP_LEN];
	uint64_t n_asked;
	uint64_t n_given_back; /* descriptors of questions, by the switch */
	uint64_t n_answered;
};

static _Noreturn void give_up(const struct conversation *c, const char *what)
{
	fprintf(stderr, "neigh_bench: after %llu questions and %llu answers: %s\n",
		(unsigned long long)c->n_asked, (unsigned long long)c->n_answered, what);
	exit(1);
}

/* --- frames ----------------------------------------------------------------------------------- */

/* RFC 826, on Ethernet; a zero target MAC makes no difference to a request. */
static void build_arp(uint8_t *frame, const uint8_t *to, uint8_t operation,
	const struct station *sender, const uint8_t *target_mac, const uint8_t *target_ip)
{
	memcpy(frame, to, 6);
	memcpy(frame + 6, sender->mac, 6);
	memcpy(frame + 12, (uint8_t[]) { 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, operation }, 10);
	memcpy(frame + 22, sender->mac, 6);
	memcpy(frame + 28, sender->ip, 4);
	memcpy(frame + 32, target_mac, 6);
	memcpy(frame + 38, target_ip, 4);
}

/* Gives every descriptor its question, and writes down the answer. */
static void write_questions(struct conversation *c)
{
	static const uint8_t none[6], all[6] = { 255, 255, 255, 255, 255, 255 };
	struct front_queue *q = frontend_tx(&c->f);
	uint64_t gpa = frontend_alloc(&c->f, 0, (uint64_t)RING_SIZE * BUFFER_LEN, BUFFER_LEN);

	if (!gpa)
		give_up(c, "no room for the questions");
	for (unsigned i = 0; i < RING_SIZE; i++, gpa += BUFFER_LEN) {
		const struct station *n = &c->neighbour[i % c->n_neighbours];
		uint8_t *at = frontend_at(&c->f, gpa);

		build_arp(at + HEADER_LEN, all, 1, &c->guest, none, n->ip);
		build_arp(c->answer[i], c->guest.mac, 2, n, c->guest.mac, c->guest.ip);
		q->desc[i] = (struct vring_desc) { .addr = gpa, .len = HEADER_LEN + ARP_LEN };
	}
}

/* --- rings ------------------------------------------------------------------------------------ */

static uint16_t n_used(const struct front_queue *q)
{
	return (uint16_t)(__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) - q->used_idx);
}

/* Offers a descriptor, of which tell() tells the switch. */
static void offer(struct front_queue *q, uint16_t id)
{
	q->avail->ring[q->avail_idx++ % RING_SIZE] = id;
}

static void tell(struct front_queue *q)
{
	uint16_t before = q->kicked_idx;

	if (before == q->avail_idx)
		return;
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
	front_queue_kick(q, before, false);
	q->kicked_idx = q->avail_idx;
}

static void take_back(struct conversation *c)
{
	struct front_queue *q = frontend_tx(&c->f);

	for (uint16_t n = n_used(q); n > 0; n--) {
		if (q->used->ring[q->used_idx++ % RING_SIZE].id != c->n_given_back++ % RING_SIZE)
			give_up(c, "a question was given back out of its turn");
	}
}

static void ask(struct conversation *c)
{
	struct front_queue *q = frontend_tx(&c->f);
	uint64_t behind = c->n_given_back < c->n_answered ? c->n_given_back : c->n_answered;
	unsigned room = RING_SIZE - (unsigned)(c->n_asked - behind);

	if (room < BURST)
		return;
	while (room-- > 0)
		offer(q, (uint16_t)(c->n_asked++ % RING_SIZE));
	tell(q);
}

static void take_answer(struct conversation *c, struct front_queue *q)
{
	struct vring_used_elem e = q->used->ring[q->used_idx++ % RING_SIZE];
	const uint8_t *frame;

	if (c->n_answered == c->n_asked)
		give_up(c, "an answer to nothing");
	if (e.id >= RING_SIZE)
		give_up(c, "a buffer that does not exist was used");
	frame = frontend_at(&c->f, q->desc[e.id].addr);
	if (e.len < HEADER_LEN + ARP_LEN ||
		memcmp(frame + HEADER_LEN, c->answer[c->n_answered % RING_SIZE], ARP_LEN))
		give_up(c, "a frame that is not the answer to the question");
	c->n_answered++;
	offer(q, (uint16_t)e.id);
}

static unsigned take_answers(struct conversation *c)
{
	struct front_queue *q = frontend_rx(&c->f);
	unsigned n = n_used(q);

	for (unsigned i = 0; i < n; i++)
		take_answer(c, q);
	tell(q);
	return n;
}

/* --- the conversation ------------------------------------------------------------------------- */

/* Asks and listens until `end_us`, or, with `asking` false, listens until nothing is missing.
 * Returns the time. */
static uint64_t converse(struct conversation *c, bool asking, uint64_t end_us)
{
	uint64_t now = now_us(), heard_us = now;

	while (asking ? now < end_us : c->n_answered < c->n_asked) {
		take_back(c);
		if (asking)
			ask(c);
		if (take_answers(c) > 0)
			heard_us = now;
		now = now_us();
		if (now - heard_us > SILENCE_US)
			give_up(c, "no answer for a second");
	}
	return now;
}

static void run(struct conversation *c, const char *socket, uint64_t ms)
{
	static const struct frontend_options options = {
		.features = VF_VERSION_1 | VF_MRG_RXBUF | VF_PROTOCOL_FEATURES,
		.protocol_features = VU_PROTOCOL_REPLY_ACK,
		.ring_size = RING_SIZE,
		.rx = { .buffer_size = 1536 },
	};
	uint64_t start_us, end_us, first;

	if (frontend_open(&c->f, socket, &options) < 0)
		give_up(c, c->f.why);
	if (frontend_header_len(&c->f) != HEADER_LEN)
		give_up(c, "the switch knows neither virtio 1 nor mergeable buffers");
	for (unsigned i = FRONT_RX; i <= FRONT_TX; i++) {
		c->f.queue[i].avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
		c->f.queue[i].kicked_idx = c->f.queue[i].avail_idx;
	}
	write_questions(c);
	start_us = converse(c, true, now_us() + WARM_UP_MS * 1000);
	first = c->n_answered;
	end_us = converse(c, true, start_us + ms * 1000);
	printf("{\"answered\": %llu, \"us\": %llu, ", (unsigned long long)(c->n_answered - first),
		(unsigned long long)(end_us - start_us));
	converse(c, false, 0);
	printf("\"answered_in_all\": %llu}\n", (unsigned long long)c->n_answered);
	frontend_close(&c->f);
}

static void parse_station(struct station *s, const char *ip, const char *mac)
{
	struct ether_addr ether;

	if (inet_pton(AF_INET, ip, s->ip) != 1 || !ether_aton_r(mac, &ether)) {
		fprintf(stderr, "neigh_bench: %s %s: want an IPv4 and a MAC address\n", ip, mac);
		exit(2);
	}
	memcpy(s->mac, &ether, sizeof(s->mac));
}

int main(int argc, char **argv)
{
	static struct conversation c;

	if (argc < 7 || argc % 2 == 0 || argc > 5 + 2 * N_NEIGHBOURS_MAX) {
		fprintf(stderr, "usage: neigh_bench SOCKET MS MAC IP {NEIGHBOUR_IP "
				"NEIGHBOUR_MAC}...\n");
		return 2;
	}
	parse_station(&c.guest, argv[4], argv[3]);
	for (int i = 5; i < argc; i += 2)
		parse_station(&c.neighbour[c.n_neighbours++], argv[i], argv[i + 1]);
	run(&c, argv[1], parse_number("MS", argv[2], 1, 60000));
	return 0;
}
