/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * VMMs that make their call descriptor block, again and again: with messages that restart the ring,
 * with a new connection each time, in server and in client mode. Once in a second is all they get.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/attack.h"

#define N_RESTARTS 200
#define N_TRIES    20
#define ENOUGH_MS  10000 /* one hang of 100 to 150 ms, on a busy machine; 200 are 20 s */
#define PAUSE_MS   900   /* 1 s, less what is lost between a hang-up and its being seen */

/* Every used buffer is worth a signal. */
static const struct frontend_options signalled = {
	.features = ~VF_EVENT_IDX,
	.protocol_features = ~0ull,
};

static struct guests guests;
static struct packet out;

static int start(void **state)
{
	attack_start(&guests);
	return 0;
}

/* The attacker's port connects to it; the others' are as ever. */
static int start_client(void **state)
{
	static const char *const extra[3] = { "\"client\": true", NULL, NULL };

	guests_start_with(&guests, 3, extra, NULL);
	guests_connect(&guests, WITNESS, &guest_full);
	guests_connect(&guests, BYSTANDER, &guest_full);
	return 0;
}

static int stop(void **state)
{
	guests_abandon(&guests);
	return 0;
}

static void fill_and_block(int call)
{
	const uint64_t full = UINT64_MAX - 1;
	uint64_t count;

	(void)!read(call, &count, sizeof(count));
	assert_int_equal(fcntl(call, F_SETFL, 0), 0);
	assert_int_equal(write(call, &full, sizeof(full)), sizeof(full));
}

/* Something for the attacker, which it is to be signalled for. */
static void send_to_attacker(void)
{
	packet_plain(&out, ATTACKER + 1, WITNESS + 1, 1000, 0);
	guest_send(&guests.f[WITNESS], &out);
}

static void expect_reason(const char *part)
{
	json_t *port = guests_show(&guests, ATTACKER);
	const char *reason = json_string_value(json_object_get(port, "reason"));

	if (!reason || !strstr(reason, part))
		fail_msg("the reason is \"%s\"", reason);
	json_decref(port);
}

static void test_messages_that_restart_the_ring(void **state)
{
	struct frontend *f = &guests.f[ATTACKER];
	struct vu_vring_state base = { 0 };
	int64_t begin;

	for (unsigned i = 0; i < 2; i++) {
		guests_connect(&guests, ATTACKER, &signalled);
		base.index = i ? FRONT_TX : FRONT_RX;
		fill_and_block(f->queue[base.index].call);
		begin = frontend_now_ms();
		for (unsigned n = 0; n < N_RESTARTS; n++)
			if (frontend_message(f, VU_SET_VRING_BASE, &base, sizeof(base), NULL, 0) <
				0)
				break;
		json_decref(testbed_call(&guests.t, "port.list"));
		attack_expect_hangup(&guests, "messages that restart the ring");
		attack_others_go_on(&guests, "messages that restart the ring", i);
		if (frontend_now_ms() - begin > ENOUGH_MS)
			fail_msg("others waited for %ld ms", (long)(frontend_now_ms() - begin));
		expect_reason("call descriptor blocks");
	}
	guests_connect(&guests, ATTACKER, &guest_full);
	guests_cross(&guests, WITNESS, ATTACKER, 1000, 3);
	guests_stop(&guests);
}

/* True: it had to wait before it was let in again. */
static bool hang_up_during_hang(unsigned i)
{
	struct frontend *f = &guests.f[ATTACKER];
	int64_t begin;

	guests_connect(&guests, ATTACKER, &signalled);
	guests_cross(&guests, ATTACKER, WITNESS, 60, i);
	fill_and_block(f->queue[FRONT_RX].call);
	send_to_attacker();
	usleep(5000);
	begin = frontend_now_ms();
	frontend_disconnect(f);
	attack_others_go_on(&guests, "hanging up while the switch hangs", i);
	guests_connect(&guests, ATTACKER, &guest_full);
	return frontend_now_ms() - begin >= PAUSE_MS;
}

/*
 * The VMM has hung up before the hang is noticed, so that there is no fault to end anything for. On
 * a busy machine it may do so before the switch hangs at all: then there is nothing to wait for.
 */
static void test_a_vmm_that_hangs_up_itself(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		unsigned n_tries = 1;

		while (!hang_up_during_hang(i))
			if (n_tries++ == N_TRIES)
				fail_msg("back too soon, %u times", N_TRIES);
	}
	guests_cross(&guests, WITNESS, ATTACKER, 1000, 3);
	guests_stop(&guests);
}

/* In client mode it is the switch that comes back; each of these connections was good at first. */
static void test_a_vmm_that_listens(void **state)
{
	struct frontend *f = &guests.f[ATTACKER];
	struct virtio_net_hdr_mrg_rxbuf hdr;
	int64_t begin = 0;

	guest_check(f, frontend_init(f, &signalled));
	guest_check(f, frontend_listen(f, guests_socket(&guests, ATTACKER)));
	for (unsigned i = 0; i < 3; i++) {
		guest_check(f, frontend_accept(f));
		if (i > 0 && frontend_now_ms() - begin < PAUSE_MS)
			fail_msg("back after %ld ms", (long)(frontend_now_ms() - begin));
		guest_check(f, frontend_serve(f));
		guests_cross(&guests, ATTACKER, WITNESS, 60, i);
		if (i == 2)
			break;
		fill_and_block(f->queue[FRONT_RX].call);
		begin = frontend_now_ms(); /* the pause is later, however late we hear of it */
		send_to_attacker();
		attack_expect_hangup(&guests, "blocking call descriptor of a listening VMM");
		attack_others_go_on(&guests, "blocking call descriptor of a listening VMM", i);
		assert_int_equal(fcntl(f->queue[FRONT_RX].call, F_SETFL, O_NONBLOCK), 0);
		(void)!read(f->queue[FRONT_RX].call, &(uint64_t) { 0 }, 8);
	}
	while (frontend_recv(f, out.byte, sizeof(out.byte), &hdr, QUIET_MS) >= 0)
		; /* what it was not told of in its former lives */
	guests_cross(&guests, WITNESS, ATTACKER, 1000, 3);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages_that_restart_the_ring, start, stop),
		cmocka_unit_test_setup_teardown(test_a_vmm_that_hangs_up_itself, start, stop),
		cmocka_unit_test_setup_teardown(test_a_vmm_that_listens, start_client, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
