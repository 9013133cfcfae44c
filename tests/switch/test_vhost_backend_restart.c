/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * sluiced is killed and started again under running guests, as the VMM sees it: the guest's memory
 * and rings stay as they are, only the connection is new. What had been completed stays completed;
 * frames that were under way may be lost or come twice, and nothing else; both directions go on.
 */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#define N_DONE   10
#define N_FLIGHT 40

static struct guests guests;
static struct packet out, in;
static bool vmm_listens; /* the switch connects */

static void connect_guest(struct frontend *f, unsigned i)
{
	if (!vmm_listens)
		guest_check(f, frontend_connect(f, guests_socket(&guests, i)));
	else
		guest_check(f, frontend_accept(f));
}

static void start(const char *port)
{
	guests_start_alike(&guests, 2, port, NULL);
	for (unsigned i = 0; i < 2; i++) {
		struct frontend *f = &guests.f[i];

		guest_check(f, frontend_init(f, &guest_full));
		if (vmm_listens)
			guest_check(f, frontend_listen(f, guests_socket(&guests, i)));
		connect_guest(f, i);
		guest_check(f, frontend_serve(f));
	}
}

static int start_server(void **state)
{
	vmm_listens = false;
	start(NULL);
	return 0;
}

static int start_client(void **state)
{
	vmm_listens = true;
	start("\"client\": true");
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

static void send_numbered(struct frontend *f, unsigned first, unsigned n)
{
	struct iovec iov = { .iov_base = out.byte };

	for (unsigned i = first; i < first + n; i++) {
		packet_plain(&out, 2, 1, 60 + 31 * i, i);
		iov.iov_len = out.len;
		guest_check(f, frontend_queue_frame(f, &iov, 1, NULL));
	}
	frontend_kick(f);
}

static unsigned number_of(const struct packet *p)
{
	unsigned i = (p->len - 60) / 31;

	packet_plain(&out, 2, 1, 60 + 31 * i, i);
	assert_int_equal(p->len, out.len);
	assert_memory_equal(p->byte, out.byte, out.len);
	return i;
}

/* Each ring was signalled when it was taken over: its guest may have missed something. */
static void expect_signal(struct front_queue *q)
{
	struct pollfd p = { .fd = q->call, .events = POLLIN };

	assert_int_equal(poll(&p, 1, RECV_MS), 1);
}

static void reconnect(unsigned i, uint16_t shift_base)
{
	struct frontend *f = &guests.f[i];

	connect_guest(f, i);
	guest_check(f, frontend_negotiate(f));
	guest_check(f, frontend_set_mem_table(f));
	for (unsigned q = 0; q < 2; q++) {
		uint16_t used = f->queue[q].used->idx;

		guest_check(f, frontend_start_queue(f, q, (uint16_t)(used + shift_base)));
		assert_true((uint16_t)(f->queue[q].used->idx - used) <= f->queue[q].size);
		expect_signal(&f->queue[q]);
	}
}

/* Takes what arrives until the frame `last`: all of the flight, none of what was done before. */
static unsigned recv_flight(struct frontend *f, unsigned first, unsigned last)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	unsigned n = 0, i;

	do {
		guest_recv(f, &in, &hdr);
		i = number_of(&in);
		assert_true(i >= first && i <= last);
		n++;
	} while (i != last);
	return n;
}

static void kill_and_restart(unsigned round, uint16_t shift_base)
{
	struct frontend *a = &guests.f[0], *b = &guests.f[1];
	struct virtio_net_hdr_mrg_rxbuf hdr;
	unsigned flight, last = N_DONE + N_FLIGHT;
	uint16_t done;

	send_numbered(a, 0, N_DONE);
	guest_check(a, frontend_drain(a, RECV_MS));
	for (unsigned i = 0; i < N_DONE; i++) {
		guest_recv(b, &in, &hdr);
		assert_int_equal(number_of(&in), i);
	}
	done = frontend_tx(a)->used_idx;
	send_numbered(a, N_DONE, N_FLIGHT);
	/* at a different moment each time: none of them, some, all of them are through */
	usleep(round * 7);
	testbed_kill(&guests.t);
	testbed_restart(&guests.t);
	reconnect(0, shift_base);
	reconnect(1, shift_base);
	assert_true((uint16_t)(frontend_tx(a)->used->idx - done) <= N_FLIGHT);
	guest_check(a, frontend_drain(a, RECV_MS));
	assert_int_equal(frontend_tx(a)->used->idx, (uint16_t)(done + N_FLIGHT));

	/* whatever guest 0's ring held went out before this one */
	send_numbered(a, last, 1);
	flight = recv_flight(b, N_DONE, last) - 1;
	assert_true(flight <= 2 * N_FLIGHT);
	guests_cross(&guests, 0, 1, 1400, round);
	guests_cross(&guests, 1, 0, 1400, round);
	guest_hears_nothing(b);
}

static void test_killed_and_restarted(void **state)
{
	for (unsigned round = 0; round < 12; round++)
		kill_and_restart(round, 0);
	guests_stop(&guests);
}

/* A front-end may name a base of its own; the ring's used index is what the guest goes by. */
static void test_another_base(void **state)
{
	kill_and_restart(0, 5);
	kill_and_restart(3, (uint16_t)-7);
	kill_and_restart(9, 32768);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed_and_restarted, start_server, stop),
		cmocka_unit_test_setup_teardown(test_killed_and_restarted, start_client, stop),
		cmocka_unit_test_setup_teardown(test_another_base, start_server, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
