/* SPDX-License-Identifier: BSD-3-Clause */

/* What of the ethdev port needs no device: its devargs, and how it knows an echo. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/port/ethdev_devargs.h"
#include "switch/port/ethdev_echo.h"

static struct ethdev_devargs parse(const char *text, unsigned n_queues)
{
	struct ethdev_devargs d;
	struct err err = { "" };

	if (ethdev_devargs_parse(&d, text, n_queues, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return d;
}

static void test_names(void **state)
{
	struct ethdev_devargs d = parse("net_null0,no-rx=1", 1);

	assert_string_equal(d.name, "net_null0");
	assert_string_equal(d.driver_name, "net_null");
	assert_string_equal(d.text, "net_null0,no-rx=1");
	assert_int_equal(d.driver, ETHDEV_OTHER);
	d = parse("vdev:net_vhost_7,iface=/run/x.sock,tso=1", 1);
	assert_string_equal(d.name, "net_vhost_7");
	assert_string_equal(d.text, "net_vhost_7,iface=/run/x.sock,tso=1");
	d = parse("net_vhost12,client=1,iface=/run/x.sock,tso=1", 2);
	assert_int_equal(d.driver, ETHDEV_VHOST);
	assert_string_equal(d.path, "/run/x.sock");
	assert_string_equal(d.text, "net_vhost12,client=1,iface=/run/x.sock,tso=1,queues=2");
	d = parse("net_virtio_user0,path=/run/y,queues=1", 2);
	assert_int_equal(d.driver, ETHDEV_VIRTIO_USER);
	assert_string_equal(d.text, "net_virtio_user0,path=/run/y,queues=1");
}

static void test_af_packet(void **state)
{
	struct ethdev_devargs d = parse("net_af_packet0,iface=eth0", 1);

	assert_int_equal(d.driver, ETHDEV_AF_PACKET);
	assert_string_equal(d.path, "eth0");
	assert_string_equal(d.text, "net_af_packet0,iface=eth0,qdisc_bypass=0,framesz=65408,"
				    "blocksz=2093056,framecnt=64");
	assert_int_equal(d.frame_size, 65408);
	/* Who names one number of the ring has to name them all. */
	d = parse("net_af_packet0,iface=eth0,framecnt=128,qdisc_bypass=1", 4);
	assert_string_equal(
		d.text, "net_af_packet0,iface=eth0,framecnt=128,qdisc_bypass=1,qpairs=4");
	assert_int_equal(d.frame_size, 2048);
	d = parse("net_af_packet0,framesz=4096,blocksz=4096,iface=eth0", 1);
	assert_int_equal(d.frame_size, 4096);
}

/* What the driver, the kernel and DPDK's buffers ask of the numbers. */
static void test_ring_geometry(void **state)
{
	assert_int_equal(ETHDEV_AF_BLOCK % sysconf(_SC_PAGESIZE), 0);
	assert_int_equal(ETHDEV_AF_BLOCK % ETHDEV_AF_FRAME, 0);
	assert_int_equal(ETHDEV_AF_FRAME % 16, 0);
	assert_int_equal(ETHDEV_AF_N_FRAMES % (ETHDEV_AF_BLOCK / ETHDEV_AF_FRAME), 0);
	assert_true(ETHDEV_AF_FRAME - ETHDEV_AF_HEADER + 128 <= UINT16_MAX);
	/* The longest that Linux sends: sk_gso_max_size is 65536 - 321 bytes of payload. */
	assert_true(ETHDEV_AF_FRAME - ETHDEV_AF_MAC_OFFSET >= 65215 + 14 + 40 + 60);
}

static void test_no_name(void **state)
{
	const char *const bad[] = { "", ",iface=eth0",
		"net_null_with_a_name_that_is_longer_than_any_device_of_dpdk_may_have" };
	struct ethdev_devargs d;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { "" };

		assert_true(ethdev_devargs_parse(&d, bad[i], 1, &err) < 0);
		assert_non_null(strstr(err.text, "device's name"));
	}
}

static struct mac station(unsigned n)
{
	return (struct mac) { { 2, 0, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n } };
}

static void test_echo(void **state)
{
	static struct echo_table t;
	struct mac a = station(1), b = station(2);

	assert_false(echo_heard(&t, &a, 1000));
	echo_sent(&t, &a, 1000);
	assert_true(echo_heard(&t, &a, 1000));
	assert_true(echo_heard(&t, &a, 1000 + ECHO_SECONDS));
	assert_false(echo_heard(&t, &a, 1001 + ECHO_SECONDS));
	assert_false(echo_heard(&t, &b, 1000));
	/* Sending again renews it; also where the seconds' lower bits wrap. */
	echo_sent(&t, &a, 65535);
	assert_true(echo_heard(&t, &a, 65537));
	assert_false(echo_heard(&t, &a, 65540));
	echo_sent(&t, &a, 65536);
	assert_true(echo_heard(&t, &a, 65536));
}

/* The address 0 is what free entries look like. */
static void test_echo_of_zero(void **state)
{
	static struct echo_table t;
	struct mac zero = { { 0 } };

	assert_false(echo_heard(&t, &zero, 0));
	echo_sent(&t, &zero, 1);
	assert_false(echo_heard(&t, &zero, 1));
}

/* More stations than a bucket holds: the one that sent last is never forgotten. */
static void test_echo_crowd(void **state)
{
	static struct echo_table t;

	for (unsigned n = 0; n < 100000; n++) {
		struct mac mac = station(n);

		echo_sent(&t, &mac, 5 + n / 1000);
		assert_true(echo_heard(&t, &mac, 5 + n / 1000));
	}
	/* A few dozen, as pods have, are all remembered at once. */
	memset(&t, 0, sizeof(t));
	for (unsigned n = 0; n < 64; n++)
		echo_sent(&t, &(struct mac) { { 2, 0, 0, 0, 0, (uint8_t)n } }, 9);
	for (unsigned n = 0; n < 64; n++)
		assert_true(echo_heard(&t, &(struct mac) { { 2, 0, 0, 0, 0, (uint8_t)n } }, 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_af_packet),
		cmocka_unit_test(test_ring_geometry),
		cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_echo_of_zero),
		cmocka_unit_test(test_echo_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
