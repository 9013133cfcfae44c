/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* How long the switch may take to hang up. */
#define HANGUP_MS 20000

/* How long it may take to let somebody in. */
#define CONNECT_MS 30000

const struct frontend_options assault_options = {
	.features = ~0ull,
	.protocol_features = ~0ull,
	.n_regions = 2,
	.timeout_ms = 2000,
};

static void init(struct assault *a, const struct frontend_options *options)
{
	assault_close(a);
	if (frontend_init(&a->f, options) < 0) {
		fprintf(stderr, "hostile: %s\n", a->f.why);
		exit(1);
	}
	a->f.options.timeout_ms = CONNECT_MS;
	a->open = true;
}

void assault_dial(struct assault *a)
{
	int r;

	init(a, &assault_options);
	r = frontend_connect(&a->f, a->socket);
	if (r < 0) {
		fprintf(stderr, "hostile: no switch to attack: %s\n", a->f.why);
		exit(1);
	}
}

bool assault_connect(struct assault *a, const struct frontend_options *options)
{
	int r;

	init(a, options);
	r = frontend_start(&a->f, a->socket);
	a->f.options.timeout_ms = options->timeout_ms;
	if (r == 0)
		return true;
	if (r != -ECONNRESET && r != -EPIPE) {
		fprintf(stderr, "hostile: the switch lets nobody in: %s\n", a->f.why);
		exit(1);
	}
	assault_close(a);
	return false;
}

bool assault_go_on(struct assault *a)
{
	if (a->open && a->f.sock >= 0 && !assault_thrown_out(a))
		return true;
	return assault_connect(a, &assault_options);
}

void assault_close(struct assault *a)
{
	if (!a->open)
		return;
	if (a->f.sock >= 0 && assault_thrown_out(a))
		a->n_disconnects++;
	a->n_messages += a->f.n_sent;
	frontend_close(&a->f);
	a->open = false;
}

bool assault_thrown_out(const struct assault *a)
{
	struct pollfd p = { .fd = a->f.sock, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

void assault_must_end(struct assault *a)
{
	if (frontend_wait_hangup(&a->f, HANGUP_MS) < 0)
		a->n_survived++;
	assault_close(a);
}

void assault_kick(struct assault *a, unsigned queue)
{
	uint64_t one = 1;

	(void)!write(a->f.queue[queue].kick, &one, sizeof(one));
}

void assault_offer(struct assault *a, unsigned queue, uint16_t head)
{
	front_queue_offer(&a->f.queue[queue], head);
	a->n_chains++;
	assault_kick(a, queue);
}

void assault_settle(struct assault *a, int timeout_ms)
{
	const struct front_queue *q = &a->f.queue[FRONT_TX];
	int64_t deadline = frontend_now_ms() + timeout_ms;

	while (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) != q->avail_idx) {
		if (frontend_now_ms() >= deadline || assault_thrown_out(a))
			return;
		assault_nap_us(50);
	}
}

void assault_nap_us(unsigned us)
{
	nanosleep(&(struct timespec) { .tv_nsec = us * 1000l }, NULL);
}

uint64_t assault_random(struct assault *a, uint64_t n)
{
	return byte_stream_next(&a->random) % n;
}
