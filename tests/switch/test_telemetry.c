/* SPDX-License-Identifier: BSD-3-Clause */

/* DPDK's telemetry socket: what it says of the switch. */

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/switch/guests.h"

#define SOCKET_PATH "/var/run/dpdk/sluice/dpdk_telemetry.v2"
#define ANSWER_MAX  16384
#define UPDATE_MS   60000 /* sluiced brings its numbers up to date once a second */

static struct guests guests;
static int sock = -1;

static int stop(void **state)
{
	if (sock >= 0)
		close(sock);
	sock = -1;
	guests_abandon(&guests);
	return 0;
}

static json_t *receive(void)
{
	static char text[ANSWER_MAX];
	ssize_t n = recv(sock, text, sizeof(text), 0);

	return n > 0 ? json_loadb(text, (size_t)n, JSON_DECODE_ANY, NULL) : NULL;
}

/* The greeting tells the version and how long answers can be. */
static bool connect_telemetry(void)
{
	const struct timeval limit = { .tv_sec = 60 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = SOCKET_PATH };
	json_t *greeting;

	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return false;
	greeting = receive();
	assert_in_range(
		json_integer_value(json_object_get(greeting, "max_output_len")), 1, ANSWER_MAX);
	json_decref(greeting);
	return true;
}

/* What stands under the command in its answer, owned by the caller. */
static json_t *ask(const char *command)
{
	char key[64];
	json_t *answer, *value;

	snprintf(key, sizeof(key), "%.*s", (int)strcspn(command, ","), command);
	assert_int_equal(send(sock, command, strlen(command), MSG_NOSIGNAL), strlen(command));
	answer = receive();
	value = json_object_get(answer, key);
	if (!value)
		fail_msg("%s: no answer", command);
	json_incref(value);
	json_decref(answer);
	return value;
}

/* Waits until a number of an answer is as it should be. */
static void expect_number(const char *command, const char *name, int64_t n)
{
	int64_t deadline = frontend_now_ms() + UPDATE_MS, got;

	do {
		json_t *answer = ask(command);

		got = json_integer_value(json_object_get(answer, name));
		json_decref(answer);
		nanosleep(&(struct timespec) { .tv_nsec = 20000000 }, NULL);
	} while (got != n && frontend_now_ms() < deadline);
	if (got != n)
		fail_msg("%s: %s is %ld, not %ld", command, name, (long)got, (long)n);
}

static void test_numbers(void **state)
{
	static struct packet in;
	json_t *answer, *worker;

	guests_start(&guests, 3, "\"telemetry\":true,\"fdb-size\":2048");
	for (unsigned i = 0; i < 3; i++)
		guests_connect(&guests, i, &guest_full);
	guests_cross(&guests, 0, 1, 500, 1);
	guest_recv(&guests.f[2], &in, &(struct virtio_net_hdr_mrg_rxbuf) { 0 });
	for (unsigned i = 0; i < 10; i++)
		guests_cross(&guests, 1, 0, 500, i);
	assert_true(connect_telemetry());

	expect_number("/sluice/port/stats,b", "rx_packets", 10);
	expect_number("/sluice/port/stats,b", "rx_bytes", 5000);
	expect_number("/sluice/port/stats,b", "tx_packets", 1);
	expect_number("/sluice/port/stats,a", "tx_bytes", 5000);
	expect_number("/sluice/port/stats,c", "tx_packets", 1);
	expect_number("/sluice/port/stats,c", "rx_dropped", 0);
	expect_number("/sluice/fdb", "addresses", 2);
	expect_number("/sluice/fdb", "size", 2048);
	answer = ask("/sluice/port/list");
	assert_int_equal(json_array_size(answer), 3);
	assert_string_equal(json_string_value(json_array_get(answer, 2)), "c");
	json_decref(answer);
	answer = ask("/sluice/worker/list");
	worker = json_object_get(answer, "0");
	assert_int_equal(json_integer_value(json_object_get(worker, "frames")), 11);
	assert_true(json_integer_value(json_object_get(worker, "loops")) >= 11);
	json_decref(answer);

	answer = ask("/sluice/port/stats,nobody");
	assert_true(json_is_null(answer));
	json_decref(answer);
	answer = ask("/sluice/port/stats");
	assert_true(json_is_null(answer));
	json_decref(answer);

	/* Ports that come, and go. */
	testbed_do(&guests.t, "port.del", "{\"name\":\"c\"}");
	testbed_do(&guests.t, "port.del", "{\"name\":\"b\"}");
	expect_number("/sluice/fdb", "addresses", 1);
	answer = ask("/sluice/port/list");
	assert_int_equal(json_array_size(answer), 1);
	json_decref(answer);
	guests_stop(&guests);
}

static void test_off(void **state)
{
	guests_start(&guests, 2, NULL);
	assert_false(connect_telemetry());
	guests_stop(&guests);
}

/* DPDK's directory is the machine's: ours alone here, so that the socket has its plain name. */
static void own_run_directory(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail_msg("cannot have mounts of our own: %s", strerror(errno));
	(void)mkdir("/run/dpdk", 0700);
	if (mount("dpdk", "/run/dpdk", "tmpfs", 0, NULL) < 0)
		fail_msg("cannot mount a tmpfs on /run/dpdk: %s", strerror(errno));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_off, stop),
		cmocka_unit_test_teardown(test_numbers, stop),
	};

	testbed_netns();
	own_run_directory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
