/* SPDX-License-Identifier: BSD-3-Clause */

/* The guard of a pod whose guest has a TAP and no switch: what comes in by eth0 is the guest's, and
 * what it sends goes out; the kernel does it, as long as the guard is held. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/pod/pod_guard.h"
#include "launcher/pod/tap_link.h"

#define TAP        "slt-vm0"
#define FRAME_LEN  60
#define PATIENCE   30000
#define SOME_MS    50
#define VNET_LEN   sizeof(struct virtio_net_hdr)
#define POD_MAC    "02:00:00:00:aa:02"
#define ARP_OP     21     /* its lower byte */
#define ETHER_TEST 0x88b5 /* IEEE 802, local experiments */

static void shell(const char *commands)
{
	char script[1024];

	snprintf(script, sizeof(script), "set -e; %s", commands);
	if (system(script) != 0)
		fail_msg("failed: %s", commands);
}

/* What came in by eth0 is as it was before, and nothing else has changed. */
static void assert_untouched(void)
{
	shell("test -z \"$(nft list tables)\"\n"
	      "ip link show dev eth0 | grep -q 'link/ether " POD_MAC "'\n"
	      "ip -4 addr show dev eth0 | grep -q 'inet 10.7.0.2/24'");
}

struct lab {
	int tap;  /* the guest's side, opened as a VMM does */
	int wire; /* a packet socket on the other end of eth0 */
};

static int open_wire(void)
{
	const struct sockaddr_ll at = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex("wire") };
	int on = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void plug_eth0(void)
{
	shell("ip link add wire type veth peer name eth0 address " POD_MAC "\n"
	      "ip link set wire addrgenmode none; ip link set eth0 addrgenmode none\n"
	      "ip addr add 10.7.0.2/24 dev eth0; ip link set wire up; ip link set eth0 up\n"
	      /* Until then what is sent is lost. */
	      "for name in wire eth0; do\n"
	      "until ip link show dev $name | grep -q 'state UP'; do sleep 0.01; done\n"
	      "done");
}

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct err err = { "" };

	assert_non_null(lab);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	plug_eth0();
	lab->tap = tap_link_open(TAP, 1500, &err);
	if (lab->tap < 0)
		fail_msg("%s", err.text);
	lab->wire = open_wire();
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	close(lab->tap);
	close(lab->wire);
	free(lab);
	return 0;
}

/* --- frames ---------------------------------------------------------------------------------- */

/* Who has 10.7.0.2? The pod's kernel would answer. */
static const uint8_t who_has[FRAME_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9,
	0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 7, 0, 9, 0, 0, 0, 0, 0, 0, 10, 7,
	0, 2 };

/* The next one that is this, within that time; others may come. */
static bool comes(int fd, size_t skip, const uint8_t *frame, int ms)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	uint8_t got[2048];

	while (poll(&readable, 1, ms) == 1) {
		ssize_t n = read(fd, got, sizeof(got));

		if (n >= (ssize_t)(skip + FRAME_LEN) && memcmp(got + skip, frame, FRAME_LEN) == 0)
			return true;
	}
	return false;
}

/* Whether `frame` comes before `last`, which does come. */
static bool comes_before(int fd, size_t skip, const uint8_t *frame, const uint8_t *last)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	bool came = false;
	uint8_t got[2048];

	while (poll(&readable, 1, PATIENCE) == 1) {
		ssize_t n = read(fd, got, sizeof(got));

		if (n < (ssize_t)(skip + FRAME_LEN))
			continue;
		if (memcmp(got + skip, last, FRAME_LEN) == 0)
			return came;
		came |= memcmp(got + skip, frame, FRAME_LEN) == 0;
	}
	fail_msg("the frame behind it did not come");
	return false;
}

static void send_to_pod(const struct lab *lab, const uint8_t *frame)
{
	assert_int_equal(write(lab->wire, frame, FRAME_LEN), FRAME_LEN);
}

static void send_by_guest(const struct lab *lab, const uint8_t *frame)
{
	uint8_t with_header[VNET_LEN + FRAME_LEN] = { 0 };

	memcpy(with_header + VNET_LEN, frame, FRAME_LEN);
	assert_int_equal(write(lab->tap, with_header, sizeof(with_header)), sizeof(with_header));
}

/* By the pod's kernel: an ARP reply comes within that time. */
static bool is_answered(const struct lab *lab, int ms)
{
	struct pollfd readable = { .fd = lab->wire, .events = POLLIN };
	uint8_t got[2048] = { 0 };

	while (poll(&readable, 1, ms) == 1)
		if (read(lab->wire, got, sizeof(got)) > ARP_OP && got[12] == 0x08 &&
			got[13] == 0x06 && got[ARP_OP] == ARPOP_REPLY)
			return true;
	return false;
}

/* Both ways, and the pod's kernel takes no part. */
static void assert_connected(const struct lab *lab)
{
	uint8_t sent[FRAME_LEN] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0xaa, 2, ETHER_TEST >> 8,
		ETHER_TEST & 0xff, 'h', 'i' };

	send_to_pod(lab, who_has);
	assert_true(comes(lab->tap, VNET_LEN, who_has, PATIENCE));
	assert_false(is_answered(lab, SOME_MS));
	send_by_guest(lab, sent);
	assert_true(comes(lab->wire, 0, sent, PATIENCE));
	/* One for the pod itself, too: the guest cannot speak to its kernel. */
	send_by_guest(lab, who_has);
	assert_true(comes(lab->wire, 0, who_has, PATIENCE));
	assert_false(is_answered(lab, SOME_MS));
}

static int hold(struct pod_guard *guard, struct err *err)
{
	static const struct guard_plan plan = {
		.interface = "eth0", .mode = GUARD_REDIRECT, .tap = TAP
	};

	return pod_guard_start(guard, &plan, &(struct pod_guard_options) { .lab = true }, err);
}

static void must_hold(struct pod_guard *guard)
{
	struct err err = { "" };

	if (hold(guard, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(guard_is_owned(guard->guard));
}

static void assert_kernel_answers(const struct lab *lab)
{
	send_to_pod(lab, who_has);
	assert_true(is_answered(lab, PATIENCE));
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_both_ways(void **state)
{
	struct lab *lab = *state;
	struct pod_guard guard;

	assert_untouched();
	must_hold(&guard);
	assert_connected(lab);
	assert_int_equal(pod_guard_stop(&guard, NULL), 0);
	assert_untouched();
	assert_kernel_answers(lab);
}

/* A bridge in hairpin mode sends back what the guest has sent, which has the pod's MAC. */
static void test_reflections(void **state)
{
	uint8_t reflected[FRAME_LEN], marker[FRAME_LEN];
	struct lab *lab = *state;
	struct pod_guard guard;

	memcpy(reflected, who_has, FRAME_LEN);
	memcpy(reflected + ETH_ALEN, (const uint8_t[]) { 2, 0, 0, 0, 0xaa, 2 }, ETH_ALEN);
	memcpy(marker, who_has, FRAME_LEN);
	marker[FRAME_LEN - 1] = 1;
	must_hold(&guard);
	send_to_pod(lab, reflected);
	send_to_pod(lab, marker);
	assert_false(comes_before(lab->tap, VNET_LEN, reflected, marker));
	assert_int_equal(pod_guard_stop(&guard, NULL), 0);
}

/* Whoever holds it is killed: the pod, which may go on, hears again. */
static void test_holder_killed(void **state)
{
	struct lab *lab = *state;
	struct pod_guard guard;
	struct err err = { "" };
	int ready[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (hold(&guard, &err) == 0 && write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_connected(lab);
	/* A second one in the meantime. */
	assert_int_equal(hold(&guard, &err), -EBUSY);
	assert_non_null(strstr(err.text, "there is a guard, held by"));
	assert_connected(lab);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_untouched();
	assert_kernel_answers(lab);
	must_hold(&guard);
	assert_connected(lab);
	assert_int_equal(pod_guard_stop(&guard, NULL), 0);
}

/* What somebody else has on the interface comes first, and stays. */
static void test_filters_of_others(void **state)
{
	struct lab *lab = *state;
	struct pod_guard guard;

	shell("tc qdisc add dev eth0 clsact\n"
	      "tc filter add dev eth0 ingress protocol ip u32 match u32 0 0 flowid 1:1");
	must_hold(&guard);
	assert_connected(lab);
	assert_int_equal(pod_guard_stop(&guard, NULL), 0);
	shell("tc filter show dev eth0 ingress | grep -q u32");
}

/* A CNI plugin has made it anew. */
static void test_another_interface(void **state)
{
	struct lab *lab = *state;
	struct pod_guard guard;
	struct err err = { "" };

	must_hold(&guard);
	assert_int_equal(pod_guard_keep_up(&guard, &err), 0);
	close(lab->wire);
	shell("ip link del eth0");
	assert_int_equal(pod_guard_keep_up(&guard, &err), 0);
	plug_eth0();
	lab->wire = open_wire();
	assert_int_equal(pod_guard_keep_up(&guard, &err), 0);
	assert_connected(lab);
	assert_int_equal(pod_guard_stop(&guard, &err), 0);
	assert_untouched();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_both_ways),
		TEST(test_reflections),
		TEST(test_holder_killed),
		TEST(test_filters_of_others),
		TEST(test_another_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
