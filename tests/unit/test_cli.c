/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/json_rpc.h"
#include "lib/unix_socket.h"

/*
 * Runs the real sluicectl (its path is in SLUICECTL) against a server of our own, which answers as
 * sluiced does. Asserts on what a person or a script sees: output, error line, exit status.
 */

#define OUTPUT_MAX 16384

static char socket_dir[] = "/tmp/sluice-cli-XXXXXX";
static char socket_path[64];
static int listener = -1;
static pthread_t server;
static int n_served;

static const char two_ports[] =
	"[{\"ifname\":\"uplink\",\"ifindex\":0,\"kind\":\"packet\",\"operstate\":\"up\","
	"\"address\":\"02:00:00:00:00:01\",\"mtu\":9000,\"interface\":\"eth0\","
	"\"queues\":[]},"
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

static const struct {
	const char *method;
	const char *name; /* of the port asked for; NULL: none */
	const char *answer;
} answers[] = {
	{ "port.list", NULL, two_ports },
	{ "port.show", NULL, two_ports },
	{ "port.show", "vm0", one_guest },
	{ "port.stats", NULL, stats },
	{ "port.stats", "quiet", "[{\"ifname\":\"quiet\"}]" },
	{ "port.show", "array", "{}" },
	{ "fdb.show", NULL,
		"[{\"mac\":\"02:00:00:00:00:01\",\"vlan\":0,\"ifname\":\"vm0\",\"flags\":["
		"\"static\","
		"\"local\"],\"age\":12,\"state\":\"learned\"},{\"mac\":\"02:00:00:00:00:02\","
		"\"vlan\":4094,\"ifname\":\"uplink\",\"flags\":[],\"age\":0,\"state\":\"learned\"}"
		"]" },
	{ "worker.show", NULL,
		"[{\"worker\":0,\"cpu\":null,\"spin_us\":50,\"loops\":1000,\"busy_loops\":250,"
		"\"sleeps\":7,\"sleep_seconds\":1.25,\"frames\":99,\"queues\":[{\"port\":"
		"\"uplink\","
		"\"queue\":0},{\"port\":\"vm0\",\"queue\":1}]},"
		"{\"worker\":1,\"cpu\":3,\"spin_us\":\"max\",\"loops\":0}]" },
	{ "version", NULL,
		"[{\"version\":\"9.9\",\"dpdk_version\":\"DPDK 22.11\",\"pid\":42,"
		"\"uptime_s\":3725}]" },
};

/* The answer line for one request line. */
static char *answer_line(const char *line, size_t len)
{
	struct json_rpc_request req;
	struct err err = { 0 };
	enum json_rpc_code code = json_rpc_decode(line, len, &req, &err);
	const char *name = json_string_value(json_object_get(req.params, "name"));
	char *out = NULL;

	for (size_t i = 0; code == JSON_RPC_OK && i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (strcmp(answers[i].method, req.method) == 0 &&
			strcmp(answers[i].name ? answers[i].name : "", name ? name : "") == 0) {
			json_t *result = json_loads(answers[i].answer, 0, NULL);

			out = json_rpc_result_line(req.id, result);
			json_decref(result);
		}
	}
	if (out == NULL)
		out = json_rpc_error_line(req.id, JSON_RPC_FAILED, "there is no such port");
	json_rpc_request_free(&req);
	return out;
}

static void serve_one(int fd)
{
	char line[4096];
	size_t len = 0;
	char *answer;

	while (len < sizeof(line) && memchr(line, '\n', len) == NULL) {
		ssize_t n = recv(fd, line + len, sizeof(line) - len, 0);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	answer = answer_line(line, len);
	(void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL);
	free(answer);
	__atomic_add_fetch(&n_served, 1, __ATOMIC_SEQ_CST);
}

/* Until the listener is shut down. */
static void *serve(void *arg)
{
	for (;;) {
		struct pollfd p = { .fd = listener, .events = POLLIN };
		int fd;

		poll(&p, 1, -1);
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		serve_one(fd);
		close(fd);
	}
}

static int start_server(void **state)
{
	if (mkdtemp(socket_dir) == NULL)
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/s", socket_dir);
	listener = unix_listen(socket_path, 0600, NULL);
	if (listener < 0)
		return -1;
	setenv("SLUICE_CONTROL_SOCKET", socket_path, 1);
	return pthread_create(&server, NULL, serve, NULL);
}

static int stop_server(void **state)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(server, NULL);
	close(listener);
	unlink(socket_path);
	return rmdir(socket_dir);
}

struct outcome {
	int status; /* as from wait(2) */
	char out[OUTPUT_MAX];
	char err[OUTPUT_MAX];
};

static void read_back(FILE *file, char *text)
{
	ssize_t n = pread(fileno(file), text, OUTPUT_MAX - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	fclose(file);
}

static pid_t spawn(const char *const *words, FILE *out, FILE *err)
{
	posix_spawn_file_actions_t actions;
	char *argv[10] = { getenv("SLUICECTL") };
	pid_t pid;

	assert_non_null(argv[0]);
	for (size_t i = 0; words[i] != NULL; i++)
		argv[i + 1] = (char *)words[i];
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fileno(err), STDERR_FILENO);
	assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static struct outcome *run_words(const char *const *words)
{
	static struct outcome outcome;
	FILE *out = tmpfile();
	FILE *err = tmpfile();
	pid_t pid = spawn(words, out, err);

	assert_int_equal(waitpid(pid, &outcome.status, 0), pid);
	read_back(out, outcome.out);
	read_back(err, outcome.err);
	return &outcome;
}

#define run(...) run_words((const char *const[]) { __VA_ARGS__, NULL })

static void check(const struct outcome *got, int status, const char *out, const char *err)
{
	assert_string_equal(got->err, err);
	assert_string_equal(got->out, out);
	assert_true(WIFEXITED(got->status));
	assert_int_equal(WEXITSTATUS(got->status), status);
}

static void test_port_list(void **state)
{
	check(run("port", "list"), 0,
		"NAME    KIND        STATE  MAC                 MTU  PEER\n"
		"uplink  packet      up     02:00:00:00:00:01  9000  eth0\n"
		"vm0     vhost-user  down   -                     -  not connected\n",
		"");
}

static void test_port_show_down(void **state)
{
	check(run("port", "show"), 0,
		"uplink: packet port, up\n"
		"  interface         eth0\n"
		"  address           02:00:00:00:00:01\n"
		"  mtu               9000\n"
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
	check(run("port", "show", "vm0"), 0,
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

static void test_port_stats(void **state)
{
	check(run("port", "stats"), 0,
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
	check(run("fdb", "show"), 0,
		"MAC                VLAN  PORT    AGE  FLAGS\n"
		"02:00:00:00:00:01     0  vm0      12  static,local\n"
		"02:00:00:00:00:02  4094  uplink    0  learned\n",
		"");
}

static void test_worker_show(void **state)
{
	check(run("worker", "show"), 0,
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
	check(run("version"), 1, "",
		"sluicectl: version: cannot connect to /nonexistent/s: No such file or directory: "
		"is sluiced running? (-s PATH names another socket)\n");
	assert_int_equal(run("version", "--socket", socket_path)->status, 0);
	setenv("SLUICE_CONTROL_SOCKET", socket_path, 1);
}

static void test_refusals_of_the_daemon(void **state)
{
	check(run("port", "show", "vm9"), 1, "",
		"sluicectl: port show: there is no such port: \"sluicectl port list\" shows the "
		"names there are\n");
	check(run("--json", "port", "show", "array"), 1, "",
		"sluicectl: port show: the answer to port.show is not an array: see the log of "
		"sluiced\n");
}

static void test_usage_errors(void **state)
{
	check(run("port"), 2, "",
		"sluicectl: port: incomplete command: use one of list, show, stats\n");
	check(run("port", "lst"), 2, "",
		"sluicectl: port lst: unknown command: use one of list, show, stats\n");
	check(run("ports"), 2, "",
		"sluicectl: ports: unknown command: use one of port, fdb, worker, version (see "
		"--help)\n");
	check(run("-j"), 2, "",
		"sluicectl: no command given: use one of port, fdb, worker, version (see "
		"--help)\n");
	check(run("port", "list", "vm0"), 2, "",
		"sluicectl: port list: unexpected argument \"vm0\": takes none\n");
	check(run("port", "show", "a", "b"), 2, "",
		"sluicectl: port show: unexpected argument \"b\": takes at most one NAME\n");
	check(run("--yaml", "version"), 2, "",
		"sluicectl: --yaml: unknown option or unexpected value: see --help\n");
	check(run("version", "-s"), 2, "", "sluicectl: -s: needs a value: see --help\n");
	check(run("version", "--watch=0"), 2, "",
		"sluicectl: --watch: \"0\" is not a number of seconds: use 0.1 to 3600\n");
	check(run("version", "--watch=1s"), 2, "",
		"sluicectl: --watch: \"1s\" is not a number of seconds: use 0.1 to 3600\n");
	check(run("version", "--watch=nan"), 2, "",
		"sluicectl: --watch: \"nan\" is not a number of seconds: use 0.1 to 3600\n");
}

static void test_help(void **state)
{
	const struct outcome *got = run("port", "--help");

	assert_int_equal(got->status, 0);
	assert_string_equal(got->err, "");
	assert_non_null(strstr(got->out, "port stats [NAME]"));
	assert_non_null(strstr(got->out, "--watch[=S]"));
}

/* Asks again and again: one JSON array a line. */
static void test_watch(void **state)
{
	const char *const words[] = { "-j", "--watch=0.1", "version", NULL };
	FILE *out = tmpfile();
	FILE *err = tmpfile();
	int served_before = __atomic_load_n(&n_served, __ATOMIC_SEQ_CST);
	char text[OUTPUT_MAX];
	pid_t pid = spawn(words, out, err);
	int status;

	for (int i = 0; i < 500; i++) {
		if (__atomic_load_n(&n_served, __ATOMIC_SEQ_CST) >= served_before + 4)
			break;
		usleep(10000);
	}
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	read_back(err, text);
	assert_string_equal(text, "");
	read_back(out, text);
	assert_memory_equal(text, "[{", 2);
	assert_non_null(strstr(text, "]\n[{"));
}

static void test_full_output_is_an_error(void **state)
{
	const char *const words[] = { "port", "list", NULL };
	FILE *out = fopen("/dev/full", "w");
	FILE *err = tmpfile();
	char text[OUTPUT_MAX];
	pid_t pid = spawn(words, out, err);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	read_back(err, text);
	assert_non_null(strstr(text, "sluicectl: port list: cannot write the answer"));
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_list),
		cmocka_unit_test(test_port_show_down),
		cmocka_unit_test(test_port_show_up),
		cmocka_unit_test(test_port_stats),
		cmocka_unit_test(test_port_stats_sparse),
		cmocka_unit_test(test_fdb_show),
		cmocka_unit_test(test_worker_show),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_socket_option_beats_environment),
		cmocka_unit_test(test_refusals_of_the_daemon),
		cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_full_output_is_an_error),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
