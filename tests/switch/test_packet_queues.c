/* SPDX-License-Identifier: BSD-3-Clause */

/* A packet port with two queues: flows are shared out, and nothing else is different. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "tests/switch/guests.h"
#include "tests/switch/wire.h"

#define GUEST       1 /* stations */
#define FAR         2
#define N_FLOWS     32
#define N_ROUNDS    50
#define N_REBINDS   12
#define N_NUMBERS   (1u << 25)
#define SOURCE_PORT 34 /* offsets in a frame of IPv4 and TCP */
#define NUMBER      66 /* payload */

static struct guests guests; /* one guest, "a" */
static int far = -1;
static struct packet out, in;
static pid_t pump;

static int start_with(unsigned queues)
{
	char ports[512];

	wire_create("near", "far", 0);
	far = wire_open("far");
	memset(&guests, 0, sizeof(guests));
	guests.n = 1;
	snprintf(ports, sizeof(ports),
		"[{\"name\":\"a\",\"kind\":\"vhost-user\",\"socket\":\"DIR/a.sock\"},"
		"{\"name\":\"wire\",\"kind\":\"packet\",\"interface\":\"near\",\"queues\":%u}]",
		queues);
	testbed_start(&guests.t, ports, NULL);
	guests_connect(&guests, 0, &guest_full);
	return 0;
}

static int start(void **state)
{
	return start_with(2);
}

static int start_many(void **state)
{
	return start_with(16);
}

static int stop(void **state)
{
	if (pump > 0) {
		kill(pump, SIGKILL);
		waitpid(pump, NULL, 0);
	}
	pump = 0;
	guests_abandon(&guests);
	close(far);
	wire_delete("near");
	return 0;
}

/* A TCP segment, or super-frame, of a flow, with a number in its payload. */
static void build(struct packet *p, bool to_guest, unsigned flow, uint32_t number, uint32_t len)
{
	struct packet_spec s = {
		.dst = to_guest ? GUEST : FAR,
		.src = to_guest ? FAR : GUEST,
		.payload_len = len,
		.gso_size = len > 1448 ? 1448 : 0,
	};

	packet_build(p, &s);
	p->byte[SOURCE_PORT] = (uint8_t)(100 + flow / 256);
	p->byte[SOURCE_PORT + 1] = (uint8_t)flow;
	memcpy(p->byte + NUMBER, &number, sizeof(number));
}

static unsigned flow_of(const struct packet *p)
{
	return p->byte[SOURCE_PORT + 1] + 256u * (p->byte[SOURCE_PORT] - 100u);
}

static uint32_t number_of(const struct packet *p)
{
	uint32_t number;

	memcpy(&number, p->byte + NUMBER, sizeof(number));
	return number;
}

/* What came in by each queue, added up; *n_used: how many had any. */
static int64_t queue_frames(unsigned *n_queues, unsigned *n_used)
{
	json_t *all = testbed_call(&guests.t, "port.show"), *one, *queue;
	int64_t sum = 0;
	size_t i, q;

	*n_used = *n_queues = 0;
	json_array_foreach (all, i, one) {
		if (strcmp(json_string_value(json_object_get(one, "ifname")), "wire") != 0)
			continue;
		json_array_foreach (json_object_get(one, "queues"), q, queue) {
			int64_t n = json_integer_value(json_object_get(queue, "frames"));

			++*n_queues;
			*n_used += n > 0;
			sum += n;
		}
	}
	json_decref(all);
	return sum;
}

/*
 * Interleaved flows, small frames and super-frames: each arrives once and in order of its flow. A
 * round of all flows is under way at a time, so that no ring is too small.
 */
static void test_flows_to_guest(void **state)
{
	uint32_t next[N_FLOWS] = { 0 };
	struct virtio_net_hdr_mrg_rxbuf hdr;
	unsigned n_queues, n_used;

	for (unsigned round = 0; round < N_ROUNDS; round++) {
		uint32_t len = round % 10 == 9 ? 20000 : 1000;

		for (unsigned i = 0; i < N_FLOWS; i++) {
			build(&out, true, i, round, len);
			wire_send(far, &out);
		}
		for (unsigned i = 0; i < N_FLOWS; i++) {
			guest_recv(&guests.f[0], &in, &hdr);
			assert_true(flow_of(&in) < N_FLOWS);
			assert_int_equal(number_of(&in), next[flow_of(&in)]++);
			assert_int_equal(in.len, 66 + len);
		}
	}
	guest_hears_nothing(&guests.f[0]);
	assert_int_equal(queue_frames(&n_queues, &n_used), N_FLOWS * N_ROUNDS);
	assert_true(n_queues >= 2);
	assert_true(n_used >= 2);
	guests_stop(&guests);
}

/* All of one flow comes in by the same queue. */
static void test_flow_keeps_queue(void **state)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	unsigned n_queues, n_used;

	for (unsigned i = 0; i < 200; i++) {
		build(&out, true, 7, i, i % 20 == 19 ? 30000 : 500);
		wire_send(far, &out);
		guest_recv(&guests.f[0], &in, &hdr);
		assert_int_equal(number_of(&in), i);
	}
	assert_int_equal(queue_frames(&n_queues, &n_used), 200);
	assert_int_equal(n_queues, 2);
	assert_int_equal(n_used, 1);
	guests_stop(&guests);
}

/* The kernel's own frame, to everybody on the wire. */
static void kernel_sends(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	inet_pton(AF_INET, "192.0.2.255", &to.sin_addr);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)), 0);
	assert_int_equal(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	close(fd);
}

/* Out: in order, and neither what we send nor what the kernel sends by the interface comes back. */
static void test_no_echo(void **state)
{
	unsigned n_queues, n_used;

	for (unsigned i = 0; i < 20u * N_FLOWS; i++) {
		build(&out, false, i % N_FLOWS, i, i % 10 == 9 ? 20000 : 1000);
		guest_send(&guests.f[0], &out);
		wire_recv(far, &in);
		assert_int_equal(number_of(&in), i);
		assert_int_equal(in.len, out.len);
	}
	testbed_run("ip addr add 192.0.2.1/24 broadcast 192.0.2.255 dev near");
	for (unsigned i = 0; i < 20; i++) {
		kernel_sends();
		wire_recv(far, &in);
		assert_int_equal(in.byte[0], 0xff);
		assert_memory_equal(in.byte + in.len - 5, "hello", 5);
	}
	guest_hears_nothing(&guests.f[0]);
	assert_int_equal(queue_frames(&n_queues, &n_used), 0);
	guests_stop(&guests);
}

/* Numbered frames of all flows to the guest, without pause, by whatever far end there is. */
static void begin_pump(void)
{
	static struct packet p;
	int fd = -1;

	pump = fork();
	assert_int_not_equal(pump, -1);
	if (pump > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t n = 0; n < N_NUMBERS; n++) {
		struct iovec iov[2] = { { &p.hdr, sizeof(p.hdr) }, { p.byte, 0 } };

		build(&p, true, n % N_FLOWS, n, 100);
		iov[1].iov_len = p.len;
		if (fd < 0)
			fd = wire_try_open("far");
		if (fd >= 0 && writev(fd, iov, 2) < 0) {
			close(fd);
			fd = -1;
		}
		if (fd < 0)
			nanosleep(&(struct timespec) { .tv_nsec = 100000 }, NULL);
	}
	_exit(0);
}

/* Reads for a while; no number comes twice. */
static void read_numbers(int ms)
{
	static uint8_t seen[N_NUMBERS / 8];
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		uint32_t n;

		guest_recv(&guests.f[0], &in, &hdr);
		n = number_of(&in);
		assert_true(n < N_NUMBERS);
		if (seen[n / 8] & 1 << n % 8)
			fail_msg("frame %u came twice", n);
		seen[n / 8] |= (uint8_t)(1 << n % 8);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < ms);
}

/* Sockets that join their group under traffic: no frame by two of them. */
static void test_no_duplicates_while_binding(void **state)
{
	unsigned n_queues, n_used;
	int64_t deadline;

	begin_pump();
	for (unsigned i = 0; i < N_REBINDS; i++) {
		read_numbers(20);
		if (i % 6 == 5) {
			testbed_run("ip link set near down");
			testbed_run("ip link set near up");
		} else {
			wire_delete("near");
			wire_create("near", "far", 0);
		}
	}
	deadline = frontend_now_ms() + RECV_MS;
	do {
		read_numbers(100);
		(void)queue_frames(&n_queues, &n_used);
	} while (n_used <= 8 && frontend_now_ms() < deadline);
	assert_int_equal(n_queues, 16);
	assert_true(n_used > 8);
	guests_stop(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flows_to_guest, start, stop),
		cmocka_unit_test_setup_teardown(test_flows_to_guest, start_many, stop),
		cmocka_unit_test_setup_teardown(test_flow_keeps_queue, start, stop),
		cmocka_unit_test_setup_teardown(test_no_echo, start, stop),
		cmocka_unit_test_setup_teardown(test_no_duplicates_while_binding, start_many, stop),
	};

	testbed_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
