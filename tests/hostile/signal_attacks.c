/* SPDX-License-Identifier: BSD-3-Clause */

/* Kicks, calls, and rings that are switched, moved and starved while they run. */

#include "tests/hostile/hostile.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

static bool set_state(struct assault *a, uint32_t request, unsigned queue, uint32_t num)
{
	struct vu_vring_state state = { queue, num };

	return frontend_set(&a->f, request, &state, sizeof(state), NULL, 0) == 0;
}

/* A few frames to guest 0, so that rings are in use while they are changed. */
static void send_some(struct assault *a, unsigned n)
{
	uint8_t frame[200] = { 0 };
	struct iovec iov = { frame, sizeof(frame) };

	frame_ethernet(frame);
	for (unsigned i = 0; i < n && !assault_thrown_out(a); i++)
		a->n_chains += frontend_queue_frame(&a->f, &iov, 1, NULL) == 0;
	frontend_kick(&a->f);
}

static void kick_flood(struct assault *a)
{
	if (!assault_go_on(a))
		return;
	for (unsigned i = 0; i < 2000; i++)
		assault_kick(a, i & 1);
}

/* The eventfd is shared: full and blocking, the switch's next signal would wait for ever. */
static bool fill_and_block(int call)
{
	const uint64_t full = UINT64_MAX - 1;
	uint64_t count;

	while (write(call, &full, sizeof(full)) < 0)
		if (read(call, &count, sizeof(count)) < 0)
			return false;
	return fcntl(call, F_SETFL, 0) == 0;
}

static void call_full(struct assault *a)
{
	struct frontend_options o = assault_options;
	unsigned queue = a->round & 1;

	o.features &= ~VF_EVENT_IDX; /* every used buffer is worth a signal */
	if (!assault_connect(a, &o))
		return;
	if (fill_and_block(a->f.queue[queue].call) && queue == FRONT_TX)
		send_some(a, 2); /* receiving is for others to cause */
	assault_must_end(a);
}

/* The same, and each message has the switch signal that ring anew. */
static void call_full_restart(struct assault *a)
{
	struct frontend_options o = assault_options;
	unsigned queue = a->round & 1;
	struct vu_vring_state base = { queue, 0 };

	o.features &= ~VF_EVENT_IDX;
	if (!assault_connect(a, &o))
		return;
	if (fill_and_block(a->f.queue[queue].call))
		for (unsigned i = 0; i < 200 && !assault_thrown_out(a); i++)
			frontend_message(&a->f, VU_SET_VRING_BASE, &base, sizeof(base), NULL, 0);
	assault_must_end(a);
}

/* The same, behind something else that costs the connection. */
static void call_full_broken(struct assault *a)
{
	struct frontend_options o = assault_options;
	unsigned queue = a->round & 1;

	o.features &= ~VF_EVENT_IDX;
	if (!assault_connect(a, &o))
		return;
	send_some(a, 1);
	if (fill_and_block(a->f.queue[queue].call)) {
		send_some(a, 1);
		assault_offer(a, FRONT_TX, UINT16_MAX);
	}
	assault_must_end(a);
}

/* The switch's own end of the call: never read, replaced, taken away, all under traffic. */
static void call_churn(struct assault *a)
{
	uint64_t no_fd = VU_VRING_NOFD | (a->round & 1);

	if (!assault_go_on(a))
		return;
	send_some(a, 2);
	frontend_set_vring_fd(
		&a->f, VU_SET_VRING_CALL, a->round & 1, &a->f.queue[a->round & 1].call);
	frontend_set_u64(&a->f, VU_SET_VRING_CALL, no_fd);
	frontend_set_vring_fd(
		&a->f, VU_SET_VRING_KICK, a->round & 1, &a->f.queue[a->round & 1].kick);
	frontend_set_vring_fd(
		&a->f, VU_SET_VRING_CALL, a->round & 1, &a->f.queue[a->round & 1].call);
}

static void ring_enable_flap(struct assault *a)
{
	if (!assault_go_on(a))
		return;
	for (unsigned i = 0; i < 16; i++) {
		unsigned queue = (unsigned)assault_random(a, 2);

		frontend_enable_queue(&a->f, queue, assault_random(a, 2));
		if (queue == FRONT_TX && i < 4)
			assault_kick(a, FRONT_TX);
	}
	frontend_enable_queue(&a->f, FRONT_TX, true);
	frontend_enable_queue(&a->f, FRONT_RX, true);
	send_some(a, 2);
}

/* Stopped and started again at its own base, at another, with another size. */
static void ring_restart(struct assault *a)
{
	unsigned queue = a->round & 1;
	uint16_t base = 0;

	if (!assault_go_on(a))
		return;
	send_some(a, 2);
	if (frontend_stop_queue(&a->f, queue, &base) < 0)
		return;
	if (a->round & 2) {
		set_state(a, VU_SET_VRING_NUM, queue, 1u << assault_random(a, 8));
		set_state(a, VU_SET_VRING_NUM, queue, a->f.queue[queue].size);
	}
	frontend_start_queue(
		&a->f, queue, a->round & 4 ? base : (uint16_t)assault_random(a, 65536));
}

/* The rings' areas on top of each other, moved about, and back. */
static void vring_addr_churn(struct assault *a)
{
	struct front_queue *q;

	if (!assault_go_on(a))
		return;
	q = &a->f.queue[a->round & 1];
	for (unsigned i = 0; i < 8; i++) {
		struct vu_vring_addr addr = {
			.index = q->index,
			.desc = (uintptr_t)q->desc + 4096 * assault_random(a, 4),
			.used = (uintptr_t)q->used + 4 * assault_random(a, 1024),
			.avail = (uintptr_t)q->avail + 2 * assault_random(a, 1024),
		};

		frontend_set(&a->f, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		assault_kick(a, q->index);
	}
}

/* The switch's own writes to the used ring change the descriptors it reads. */
static void used_ring_overlap(struct assault *a)
{
	struct front_queue *q;
	struct vu_vring_addr addr;

	if (!assault_connect(a, &assault_options))
		return;
	q = &a->f.queue[a->round & 1];
	addr = (struct vu_vring_addr) {
		.index = q->index,
		.desc = (uintptr_t)q->desc,
		.used = (uintptr_t)q->desc + (a->round & 2 ? 16 : 0),
		.avail = a->round & 4 ? (uintptr_t)q->desc + 4 : (uintptr_t)q->avail,
	};
	send_some(a, 32);
	if (frontend_set(&a->f, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0) == 0)
		for (unsigned i = 0; i < 64 && !assault_thrown_out(a); i++)
			assault_offer(a, q->index, (uint16_t)assault_random(a, 32));
	assault_nap_us(2000);
}

/* Gives no receive buffers while it is being sent to. */
static void ring_never_refilled(struct assault *a)
{
	assault_go_on(a); /* the library refills only in frontend_recv() */
	assault_nap_us(20000);
}

const struct attack signal_attacks[] = {
	{ "kick-flood", "-", kick_flood, "kicks without work, as fast as possible" },
	{ "call-full", "hangup", call_full, "a call eventfd that is full and blocks" },
	{ "call-full-restart", "hangup", call_full_restart,
		"the same, and a stream of messages that restart its ring" },
	{ "call-full-broken", "hangup", call_full_broken, "the same, and a broken ring" },
	{ "call-churn", "-", call_churn, "kick and call descriptors replaced under traffic" },
	{ "ring-enable-flap", "-", ring_enable_flap, "rings enabled and disabled one by one" },
	{ "ring-restart", "-", ring_restart, "rings stopped and started at odd places" },
	{ "vring-addr-churn", "-", vring_addr_churn, "ring addresses changed under traffic" },
	{ "used-ring-overlap", "-", used_ring_overlap, "the used ring over the descriptors" },
	{ "ring-never-refilled", "ring_full", ring_never_refilled,
		"no receive buffers while being sent to" },
	{ 0 },
};
