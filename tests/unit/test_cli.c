/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli_lab.h"

/* What sluicectl shows, and how it is told where to ask. See cli_lab.h. */

static const char two_ports[] =
	"[{\"ifname\":\"uplink\",\"ifindex\":0,\"kind\":\"packet\",\"operstate\":\"up\","
	"\"address\":\"02:00:00:00:00:01\",\"mtu\":9000,\"interface\":\"eth0\","
	"\"interface_now\":\"eth9\",\"recoveries\":2,"
	"\"queues\":[{\"queue\":0,\"mode\":\"small\",\"frames\":7},{\"queue\":1,\"mode\":\"bulk\","
	"\"frames\":8}]},"
	"{\"ifname\":\"vm0\",\"ifindex\":1,\"kind\":\"vhost-user\",\"operstate\":\"down\","
	"\"address\":null,\"mtu\":null,\"socket_path\":\"/run/sluice/vm0.sock\","
	"\"reason\":\"no VMM has connected\",\"hint\":\"start the VM with this socket\","
	"\"peer\":{\"connected\":false}}]";

static const char one_guest[] =
	"[{\"ifname\":\"vm0\",\"ifindex\":1,\"kind\":\"vhost-user\",\"operstate\":\"up\","
	"\"address\":\"02:00:00:00:00:09\",\"mtu\":1500,\"socket_path\":\"/run/sluice/vm0.sock\","
	"\"peer\":{\"connected\":true,\"pid\":77,\"features\":\"0x3b\",\"feature_names\":[\"CSUM\","
	"\"GUEST_CSUM\"],\"protocol_features\":\"0x1\",\"queues\":2},"
	"\"queues\":[{\"queue\":0,\"direction\":\"rx\",\"size\":256,\"state\":\"live\","
	"\"enabled\":true,\"available\":3,\"event_idx\":true},"
	"{\"queue\":0,\"direction\":\"tx\",\"size\":0,\"state\":\"stopped\","
	"\"enabled\":false,\"available\":0,\"event_idx\":false},"
	"{\"queue\":1,\"size\":64,\"enabled\":true,\"in_flight\":2,\"event_idx\":false}]}]";

static const char stats[] =
	"[{\"ifname\":\"vm0\",\"stats64\":{"
	"\"rx\":{\"packets\":18446744073,\"bytes\":2,\"errors\":3,\"dropped\":4,\"super_frames\":5}"
	","
	"\"tx\":{\"packets\":6,\"bytes\":7,\"errors\":8,\"dropped\":9,\"super_frames\":10}},"
	"\"segmented\":11,\"checksummed\":12,\"wakeups\":13,\"landed\":14,"
	"\"drop_reasons\":{\"ring_full\":{\"count\":15,\"help\":\"the guest offers no buffer\"},"
	"\"zero\":{\"count\":0,\"help\":\"never shown\"}}}]";

static const struct cli_answer answers[] = {
	{ "port.list", "{}", two_ports },
	{ "port.show", "{}", two_ports },
	{ "port.show", "{\"name\":\"vm0\"}", one_guest },
	{ "port.stats", "{}", stats },
	{ "port.stats", "{\"name\":\"quiet\"}", "[{\"ifname\":\"quiet\"}]" },
	{ "port.show", "{\"name\":\"array\"}", "{}" },
	{ "fdb.show", "{}",
		"[{\"mac\":\"02:00:00:00:00:01\",\"vlan\":0,\"ifname\":\"vm0\",\"flags\":["
		"\"static\","
		"\"local\"],\"age\":12,\"state\":\"learned\"},{\"mac\":\"02:00:00:00:00:02\","
		"\"vlan\":4094,\"ifname\":\"uplink\",\"flags\":[],\"age\":0,\"state\":\"learned\"}"
		"]" },
	{ "worker.show", "{}",
		"[{\"worker\":0,\"cpu\":null,\"spin_us\":50,\"loops\":1000,\"busy_loops\":250,"
		"\"sleeps\":7,\"sleep_seconds\":1.25,\"frames\":99,\"queues\":[{\"port\":"
		"\"uplink\","
		"\"queue\":0},{\"port\":\"vm0\",\"queue\":1}]},"
		"{\"worker\":1,\"cpu\":3,\"spin_us\":\"max\",\"loops\":0}]" },
	{ "version", "{}",
		"[{\"version\":\"9.9\",\"dpdk_version\":\"DPDK 22.11\",\"pid\":42,"
		"\"uptime_s\":3725}]" },
	{ "port.show", "{\"name\":\"vm9\"}", NULL, "there is no such port" },
	{ "port.show", "{\"name\":\"trunk\"}",
		"[{\"ifname\":\"trunk\",\"kind\":\"ethdev\",\"operstate\":\"up\",\"mtu\":9000,"
		"\"devargs\":\"net_null0\",\"client\":true,\"vlan\":1,\"mac_limit\":null,"
		"\"trunks\":[5,\"100-199\"],\"queues\":2,\"workers\":[0,1]}]" },
};

static void test_port_list(void **state)
{
	cli_check(run("port", "list"), 0,
		"NAME    KIND        STATE  MAC                 MTU  PEER\n"
		"uplink  packet      up     02:00:00:00:00:01  9000  eth0\n"
		"vm0     vhost-user  down   -                     -  not connected\n",
		"");
}

static void test_port_show_down(void **state)
{
	cli_check(run("port", "show"), 0,
		"uplink: packet port, up\n"
		"  interface         eth0\n"
		"  called now        eth9\n"
		"  address           02:00:00:00:00:01\n"
		"  mtu               9000\n"
		"  recovered         2 times\n"
		"  queue 0           small mode, 7 frames received\n"
		"  queue 1           bulk mode, 8 frames received\n"
		"\n"
		"vm0: vhost-user port, down\n"
		"  why               no VMM has connected\n"
		"  what to do        start the VM with this socket\n"
		"  socket            /run/sluice/vm0.sock\n"
		"  peer              not connected\n",
		"");
}

static void test_port_show_up(void **state)
{
	cli_check(run("port", "show", "vm0"), 0,
		"vm0: vhost-user port, up\n"
		"  socket            /run/sluice/vm0.sock\n"
		"  address           02:00:00:00:00:09\n"
		"  mtu               1500\n"
		"  peer              connected, pid 77, queues: 2\n"
		"  features          0x3b\n"
		"                    CSUM GUEST_CSUM\n"
		"  protocol features 0x1\n"
		"  queue 0 rx        live, 256 descriptors, 3 available, notified by event index\n"
		"  queue 0 tx        stopped\n"
		"  queue 1           enabled, 64 descriptors, 2 in flight, notified by flag\n",
		"");
}

static void test_port_show_settings(void **state)
{
	cli_check(run("port", "show", "trunk"), 0,
		"trunk: ethdev port, up\n"
		"  mtu               9000\n"
		"  device            net_null0\n"
		"  connects to VMM   yes\n"
		"  vlan              1\n"
		"  trunks            5,100-199\n"
		"  queues            2\n"
		"  workers           0,1\n",
		"");
}

static void test_port_stats(void **state)
{
	cli_check(run("port", "stats"), 0,
		"PORT          PACKETS  BYTES  ERRORS  DROPPED  SUPER-FRAMES\n"
		"vm0   rx  18446744073      2       3        4             5\n"
		"vm0   tx            6      7       8        9            10\n"
		"\n"
		"PORT  SEGMENTED  CHECKSUMMED  WAKEUPS  LANDED  KERNEL-DROPS\n"
		"vm0          11           12       13      14             -\n"
		"\n"
		"PORT  DROP-REASON  COUNT  MEANING\n"
		"vm0   ring_full       15  the guest offers no buffer\n",
		"");
}

/* An answer that lacks members is shown as far as it goes. */
static void test_port_stats_sparse(void **state)
{
	const struct outcome *got = run("port", "stats", "quiet");

	assert_int_equal(got->status, 0);
	assert_non_null(strstr(got->out, "quiet  rx"));
	assert_non_null(strstr(got->out, "\nno drops\n"));
}

static void test_fdb_show(void **state)
{
	cli_check(run("fdb", "show"), 0,
		"MAC                VLAN  PORT    AGE  FLAGS\n"
		"02:00:00:00:00:01     0  vm0      12  static,local\n"
		"02:00:00:00:00:02  4094  uplink    0  learned\n",
		"");
}

static void test_worker_show(void **state)
{
	cli_check(run("worker", "show"), 0,
		"WORKER  CPU  SPIN-US  LOOPS   BUSY  SLEEPS  ASLEEP-S  FRAMES  QUEUES\n"
		"     0  any       50   1000  25.0%       7       1.2      99  uplink/0 vm0/1\n"
		"     1    3      max      0      -       0         -       0  -\n",
		"");
}

static void test_version(void **state)
{
	const struct outcome *got = run("version");

	assert_int_equal(got->status, 0);
	assert_memory_equal(got->out, "sluicectl ", 10);
	assert_non_null(strstr(got->out, "\nsluiced 9.9 (DPDK 22.11), pid 42, up 1h 02m 05s\n"));
	got = run("--version");
	assert_int_equal(got->status, 0);
	assert_null(strchr(strchr(got->out, '\n') + 1, '\n'));
}

static void test_json(void **state)
{
	const struct outcome *got = run("-j", "port", "show", "vm0");
	json_t *shown = json_loads(got->out, 0, NULL);
	json_t *sent = json_loads(one_guest, 0, NULL);

	assert_int_equal(got->status, 0);
	assert_true(json_is_array(shown));
	assert_true(json_equal(shown, sent));
	json_decref(shown);
	json_decref(sent);
}

static void test_socket_option_beats_environment(void **state)
{
	setenv("SLUICE_CONTROL_SOCKET", "/nonexistent/s", 1);
	cli_check(run("version"), 1, "",
		"sluicectl: version: cannot connect to /nonexistent/s: No such file or directory: "
		"is sluiced running? (-s PATH names another socket)\n");
	assert_int_equal(run("version", "--socket", cli_lab_socket())->status, 0);
	setenv("SLUICE_CONTROL_SOCKET", cli_lab_socket(), 1);
}

static void test_refusals_of_the_daemon(void **state)
{
	cli_check(run("port", "show", "vm9"), 1, "",
		"sluicectl: port show: there is no such port: \"sluicectl port list\" shows the "
		"names there are\n");
	cli_check(run("--json", "port", "show", "array"), 1, "",
		"sluicectl: port show: the answer to port.show is not an array: see the log of "
		"sluiced\n");
}

static void test_help(void **state)
{
	static const char *const usages[] = { "port list ", "port show [NAME]", "port stats [NAME]",
		"port add NAME KEY=VALUE...", "port del NAME", "port set NAME KEY=VALUE...",
		"fdb show ", "fdb add MAC PORT [vlan=N]", "fdb del MAC [vlan=N]",
		"fdb flush [PORT]", "worker show ", "worker assign PORT QUEUE WORKER",
		"config show ", "config check FILE", "config reload", "log show ", "log set LEVEL",
		"\n\n  events ", "\n  version ", "--watch[=S]" };
	const struct outcome *got = run("port", "--help");

	assert_int_equal(got->status, 0);
	assert_string_equal(got->err, "");
	for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
		if (strstr(got->out, usages[i]) == NULL)
			fail_msg("--help lacks \"%s\"", usages[i]);
	}
}

/* Asks again and again: one JSON array a line. */
static void test_watch(void **state)
{
	const char *const words[] = { "-j", "--watch=0.1", "version", NULL };
	FILE *out = tmpfile();
	FILE *err = tmpfile();
	int served_before = cli_lab_served();
	char text[OUTPUT_MAX];
	pid_t pid = cli_spawn(words, out, err);
	int status;

	for (int i = 0; i < 6000; i++) {
		if (cli_lab_served() >= served_before + 4)
			break;
		usleep(10000);
	}
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	cli_read_back(err, text);
	assert_string_equal(text, "");
	cli_read_back(out, text);
	assert_memory_equal(text, "[{", 2);
	assert_non_null(strstr(text, "]\n[{"));
}

static void test_full_output_is_an_error(void **state)
{
	const char *const words[] = { "port", "list", NULL };
	FILE *out = fopen("/dev/full", "w");
	FILE *err = tmpfile();
	char text[OUTPUT_MAX];
	pid_t pid = cli_spawn(words, out, err);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	cli_read_back(err, text);
	assert_non_null(strstr(text, "sluicectl: port list: cannot write the answer"));
	fclose(out);
}

static int start_server(void **state)
{
	return cli_lab_start(answers, sizeof(answers) / sizeof(answers[0]));
}

static int stop_server(void **state)
{
	return cli_lab_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_list),
		cmocka_unit_test(test_port_show_down),
		cmocka_unit_test(test_port_show_up),
		cmocka_unit_test(test_port_show_settings),
		cmocka_unit_test(test_port_stats),
		cmocka_unit_test(test_port_stats_sparse),
		cmocka_unit_test(test_fdb_show),
		cmocka_unit_test(test_worker_show),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_socket_option_beats_environment),
		cmocka_unit_test(test_refusals_of_the_daemon),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_full_output_is_an_error),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
