/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_ether.h>

#include "tests/hostile/hostile.h"

#define ARP_LEN   42
#define ANSWER_MS 30000

/* RFC 826: who has 10.0.0.<host>? Asked by guest 1. */
static void build_question(uint8_t *frame, uint8_t host)
{
	memset(frame, 0, ARP_LEN);
	memset(frame, 0xff, MAC_LEN);
	frame_mac(frame + MAC_LEN, 1);
	memcpy(frame + 12, (uint8_t[]) { 0x08, 0x06, 0, 1, 8, 0, MAC_LEN, 4, 0, 1 }, 10);
	frame_mac(frame + 22, 1);
	memcpy(frame + 28, (uint8_t[]) { 10, 0, 0, 3 }, 4);
	memcpy(frame + 38, (uint8_t[]) { 10, 0, 0, host }, 4);
}

static bool is_answer(const uint8_t *frame, ssize_t len, uint8_t host)
{
	const uint8_t from[] = { 10, 0, 0, host };

	return len >= ARP_LEN && frame[12] == 0x08 && frame[13] == 0x06 && frame[21] == 2 &&
	       memcmp(frame + 28, from, sizeof(from)) == 0;
}

static int ask(struct frontend *f, uint8_t host)
{
	static uint8_t in[FRONT_FRAME_MAX];
	int64_t deadline = frontend_now_ms() + ANSWER_MS;
	struct virtio_net_hdr_mrg_rxbuf hdr;
	uint8_t out[ARP_LEN];
	struct iovec iov = { .iov_base = out, .iov_len = sizeof(out) };
	int r;

	build_question(out, host);
	r = frontend_send(f, &iov, 1, NULL);
	while (r == 0) {
		ssize_t n =
			frontend_recv(f, in, sizeof(in), &hdr, (int)(deadline - frontend_now_ms()));

		if (n < 0)
			return (int)n;
		if (is_answer(in, n, host))
			return 0;
		if (frontend_now_ms() >= deadline)
			return -ETIMEDOUT;
	}
	return r;
}

int well_behaved(const char *socket, unsigned n)
{
	static const uint8_t hosts[] = { 1, 2 }; /* the peer, guest 0 */
	static struct frontend f;
	struct frontend_options options = assault_options;
	int answers = 0, r;

	options.timeout_ms = ANSWER_MS;
	r = frontend_open(&f, socket, &options);
	for (unsigned i = 0; i < n * 2 && r == 0; i++) {
		r = ask(&f, hosts[i % 2]);
		answers += r == 0;
	}
	if (r < 0)
		fprintf(stderr, "hostile: after %d answers: %s (%s)\n", answers, f.why,
			strerror(-r));
	frontend_close(&f);
	return r < 0 ? -1 : answers;
}
