/* SPDX-License-Identifier: BSD-3-Clause */

/* Connections: how many, in what order, and where they break off. */

#include "tests/hostile/hostile.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FLOOD    200
#define N_FRAMES 16

/* ---- disconnect-anywhere ---- */

static int dial_step(struct frontend *f)
{
	return 0;
}

static int fill_step(struct frontend *f)
{
	frontend_fill(f);
	return 0;
}

static int start_rx(struct frontend *f)
{
	return frontend_start_queue(f, FRONT_RX, 0);
}

static int start_tx(struct frontend *f)
{
	return frontend_start_queue(f, FRONT_TX, 0);
}

static int send_step(struct frontend *f)
{
	uint8_t frame[1500] = { 0 };
	struct iovec iov = { frame, sizeof(frame) };
	int r = 0;

	frame_ethernet(frame);
	for (unsigned i = 0; i < N_FRAMES && r == 0; i++)
		r = frontend_queue_frame(f, &iov, 1, NULL);
	frontend_kick(f);
	return r;
}

static int disable_tx(struct frontend *f)
{
	return frontend_enable_queue(f, FRONT_TX, false);
}

static int stop_rx(struct frontend *f)
{
	uint16_t base;

	return frontend_stop_queue(f, FRONT_RX, &base);
}

static int half_step(struct frontend *f)
{
	const struct vu_header h = { VU_SET_VRING_ADDR, VU_VERSION, 40 };

	return frontend_send_bytes(f, &h, sizeof(h), NULL, 0);
}

/* A question whose answer finds nobody. */
static int ask_step(struct frontend *f)
{
	return frontend_message(f, VU_GET_FEATURES, NULL, 0, NULL, 0);
}

static int (*const steps[])(struct frontend *f) = {
	dial_step,
	ask_step,
	NULL, /* below: a new start, for the answer above is in the way */
	frontend_negotiate,
	frontend_set_mem_table,
	fill_step,
	start_rx,
	start_tx,
	send_step,
	disable_tx,
	send_step,
	stop_rx,
	frontend_set_mem_table,
	half_step,
};
#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

/* Goes one step further than the last time, and is gone. */
static void disconnect_anywhere(struct assault *a)
{
	unsigned end = (unsigned)a->round % N_STEPS;

	assault_dial(a);
	for (unsigned i = end < 2 ? 0 : 2; i <= end; i++)
		if (steps[i] && steps[i](&a->f) < 0)
			break;
	assault_close(a);
}

/* Everything a VMM does in its life, in as short a time as possible. */
static void connect_cycle(struct assault *a)
{
	if (!assault_connect(a, &assault_options))
		return;
	a->n_chains += send_step(&a->f) == 0 ? N_FRAMES : 0;
	if (a->round & 1)
		assault_settle(a, 200);
	assault_close(a);
}

/* ---- connect-flood ---- */

static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Many at once, beside a connection that works or instead of one. */
static void connect_flood(struct assault *a)
{
	const struct vu_header ask = { VU_GET_FEATURES, VU_VERSION, 0 };
	int fds[FLOOD];

	if (a->round & 1 && !assault_go_on(a))
		return;
	for (unsigned i = 0; i < FLOOD; i++) {
		fds[i] = dial(a->socket);
		if (fds[i] >= 0 && send(fds[i], &ask, sizeof(ask), MSG_NOSIGNAL) > 0)
			a->n_messages++;
	}
	for (unsigned i = 0; i < FLOOD; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (!(a->round & 1))
		assault_close(a);
}

/* ---- silence ---- */

/* Has the port to itself and says nothing. */
static void silent_connection(struct assault *a)
{
	if (!a->open)
		assault_dial(a);
	assault_nap_us(100000);
}

const struct attack session_attacks[] = {
	{ "disconnect-anywhere", "-", disconnect_anywhere,
		"gone in the middle, each step in turn" },
	{ "connect-cycle", "-", connect_cycle, "a whole VMM's life over and over" },
	{ "connect-flood", "-", connect_flood, "hundreds of connections at once" },
	{ "silent-connection", "-", silent_connection, "a connection that says nothing" },
	{ 0 },
};
