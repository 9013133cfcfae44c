/* SPDX-License-Identifier: BSD-3-Clause */
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
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher/pod/tap_link.h"
#include "launcher/pod/tap_redirect.h"

#define TAP        "slt-vm0"
#define FRAME_LEN  60
#define PATIENCE   5000
#define SOME_MS    50
#define VNET_LEN   sizeof(struct virtio_net_hdr)
#define POD_MAC    "02:00:00:00:aa:02"
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
	shell("test -z \"$(tc qdisc show dev eth0 ingress)\"\n"
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
	      "ip addr add 10.7.0.2/24 dev eth0; ip link set wire up; ip link set eth0 up");
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

/* Both ways, and the pod's kernel takes no part. */
static void assert_connected(const struct lab *lab)
{
	struct pollfd answer = { .fd = lab->wire, .events = POLLIN };
	uint8_t sent[FRAME_LEN] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0xaa, 2, ETHER_TEST >> 8,
		ETHER_TEST & 0xff, 'h', 'i' };

	send_to_pod(lab, who_has);
	assert_true(comes(lab->tap, VNET_LEN, who_has, PATIENCE));
	assert_int_equal(poll(&answer, 1, SOME_MS), 0);
	send_by_guest(lab, sent);
	assert_true(comes(lab->wire, 0, sent, PATIENCE));
	/* One for the pod itself, too: the guest cannot speak to its kernel. */
	send_by_guest(lab, who_has);
	assert_true(comes(lab->wire, 0, who_has, PATIENCE));
	assert_int_equal(poll(&answer, 1, SOME_MS), 0);
}

static void set(struct tap_redirect *redirect)
{
	struct err err = { "" };

	if (tap_redirect_set(redirect, "eth0", TAP, &err) < 0)
		fail_msg("%s", err.text);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_both_ways(void **state)
{
	struct lab *lab = *state;
	struct tap_redirect redirect;
	struct err err = { "" };
	struct pollfd answer = { .fd = lab->wire, .events = POLLIN };

	assert_int_equal(tap_redirect_check("eth0", "slt-none", &err), 0);
	assert_untouched();
	set(&redirect);
	assert_connected(lab);
	assert_int_equal(tap_redirect_remove(&redirect, &err), 0);
	assert_untouched();
	/* It answers again. */
	send_to_pod(lab, who_has);
	assert_int_equal(poll(&answer, 1, PATIENCE), 1);
	assert_int_equal(tap_redirect_remove(&redirect, &err), 0);
}

static void refuse(int code, const char *interface, const char *tap, const char *words)
{
	struct tap_redirect redirect;
	struct err err = { "" };

	assert_int_equal(tap_redirect_check(interface, tap, &err), code);
	assert_non_null(strstr(err.text, words));
	err.text[0] = '\0';
	assert_int_equal(tap_redirect_set(&redirect, interface, tap, &err), code);
	assert_non_null(strstr(err.text, words));
}

/* What somebody else has there stays as it is. */
static void test_others(void **state)
{
	static const char *const kinds[] = { "ingress", "clsact" };
	char command[64];

	refuse(-ENODEV, "eth7", TAP, "there is no interface eth7");
	for (int i = 0; i < 2; i++) {
		snprintf(command, sizeof(command), "tc qdisc add dev eth0 %s", kinds[i]);
		shell(command);
		refuse(-EBUSY, "eth0", TAP, "on the ingress of eth0 already");
		shell("tc filter add dev eth0 ingress u32 match u32 0 0 action mirred egress "
		      "redirect dev " TAP);
		refuse(-EBUSY, "eth0", TAP, "on the ingress of eth0 already");
		shell("tc filter show dev eth0 ingress | grep -q " TAP);
		snprintf(command, sizeof(command), "tc qdisc del dev eth0 %s", kinds[i]);
		shell(command);
	}
}

/* One that was killed, and whose keeper was as well. */
static void test_predecessor(void **state)
{
	struct lab *lab = *state;
	struct tap_redirect redirect, again;

	set(&redirect);
	set(&again);
	assert_connected(lab);
	/* A VM that lives. */
	refuse(-EBUSY, "eth0", "slt-other", "on the ingress of eth0 already");
	assert_connected(lab);
	/* Its TAP has gone, the redirection has not. */
	close(lab->tap);
	lab->tap = tap_link_open("slt-other", 1500, NULL);
	assert_int_equal(tap_redirect_set(&again, "eth0", "slt-other", NULL), 0);
	assert_connected(lab);
	assert_int_equal(tap_redirect_remove(&again, NULL), 0);
	assert_untouched();
}

/* A CNI plugin has made it anew. */
static void test_another_interface(void **state)
{
	struct lab *lab = *state;
	struct tap_redirect redirect;
	struct err err = { "" };

	set(&redirect);
	assert_int_equal(tap_redirect_keep_up(&redirect, &err), 0);
	close(lab->wire);
	shell("ip link del eth0");
	assert_int_equal(tap_redirect_keep_up(&redirect, &err), 0);
	plug_eth0();
	lab->wire = open_wire();
	assert_int_equal(tap_redirect_keep_up(&redirect, &err), 0);
	assert_connected(lab);
	assert_int_equal(tap_redirect_remove(&redirect, &err), 0);
	assert_untouched();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_both_ways),
		TEST(test_others),
		TEST(test_predecessor),
		TEST(test_another_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
