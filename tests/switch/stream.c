/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/switch/stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/switch/packets.h"

#define BURST   16
#define WINDOW  48 /* frames under way: fewer than a ring has room for */
#define LEN     128
#define WAIT_MS 30000
#define NUMBER  14 /* where it is in the frame */

static void nap_us(unsigned us)
{
	nanosleep(&(struct timespec) { .tv_nsec = us * 1000l }, NULL);
}

static void go_wrong(struct stream *s, const char *what, uint64_t number, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s frame %llu: %s (%llu sent)", what,
		(unsigned long long)number, why, (unsigned long long)s->n_sent);
	__atomic_store_n(&s->failed, true, __ATOMIC_RELEASE);
}

static bool send_burst(struct stream *s)
{
	static __thread struct packet p;

	packet_plain(&p, s->dst, s->src, LEN, 0);
	for (unsigned i = 0; i < BURST; i++) {
		struct iovec iov = { .iov_base = p.byte, .iov_len = p.len };
		int ret;

		memcpy(p.byte + NUMBER, &s->n_sent, sizeof(s->n_sent));
		ret = frontend_queue_frame(s->from, &iov, 1, &p.hdr);
		if (ret < 0) {
			go_wrong(s, "sending", s->n_sent, s->from->why);
			return false;
		}
		s->n_sent++;
	}
	frontend_kick(s->from);
	return true;
}

/* Frames of others (floods) do not count. */
static bool receive_one(struct stream *s)
{
	static __thread uint8_t frame[PACKET_MAX];
	struct virtio_net_hdr_mrg_rxbuf hdr;
	uint64_t number;
	ssize_t n;

	do {
		n = frontend_recv(s->to, frame, sizeof(frame), &hdr, WAIT_MS);
	} while (n >= 0 && (frame[5] != s->dst || frame[11] != s->src));
	memcpy(&number, frame + NUMBER, sizeof(number));
	if (n == LEN && number == s->n_received) {
		__atomic_store_n(&s->n_received, number + 1, __ATOMIC_RELEASE);
		return true;
	}
	if (n < 0)
		go_wrong(s, "waiting for", s->n_received, s->to->why);
	else
		go_wrong(s, "in the place of", s->n_received,
			n != LEN                 ? "one of another length"
			: number > s->n_received ? "a later one: one was lost or overtaken"
						 : "an earlier one: it came twice or late");
	return false;
}

static void *run(void *arg)
{
	struct stream *s = arg;
	bool good = true;

	while (good && !__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		while (good && s->n_sent - s->n_received <= WINDOW - BURST)
			good = send_burst(s);
		for (unsigned i = 0; good && i < BURST; i++)
			good = receive_one(s);
		if (s->pause_us)
			nap_us(s->pause_us);
	}
	while (good && s->n_received < s->n_sent)
		good = receive_one(s);
	return NULL;
}

void stream_start(struct stream *s, struct frontend *from, struct frontend *to, uint8_t dst,
	uint8_t src, unsigned pause_us)
{
	*s = (struct stream) {
		.from = from, .to = to, .dst = dst, .src = src, .pause_us = pause_us
	};
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
	s->running = true;
}

void stream_more(struct stream *s, uint64_t n)
{
	uint64_t goal = __atomic_load_n(&s->n_received, __ATOMIC_ACQUIRE) + n;

	while (__atomic_load_n(&s->n_received, __ATOMIC_ACQUIRE) < goal) {
		if (__atomic_load_n(&s->failed, __ATOMIC_ACQUIRE))
			(void)stream_stop(s);
		nap_us(50);
	}
}

uint64_t stream_stop(struct stream *s)
{
	stream_abandon(s);
	if (s->failed)
		fail_msg("%s", s->why);
	return s->n_received;
}

void stream_abandon(struct stream *s)
{
	if (!s->running)
		return;
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	pthread_join(s->thread, NULL);
	s->running = false;
}
