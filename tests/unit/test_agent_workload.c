/* SPDX-License-Identifier: BSD-3-Clause */

/* The workload, and clients that attach to it, lose their connection and come back. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <jansson.h>

#include "agent_lab.h"

#define MIB (1024ULL * 1024)

/* Output from its own beginning to EXIT on one connection. */
static void test_runs_and_ends(void **state)
{
	struct lab lab;
	struct lab_client client;

	lab_start(&lab, &(struct lab_plan) { .argv = words("sh", "-c",
						     "echo $$ $WORKLOAD; echo err >&2; read x; "
						     "echo \"got $x\"; exit 5") });
	client_open(&client, &lab);
	client_attach(&client, 0, 0);
	assert_int_equal(client.attached.pid, 1);
	client_await_text(&client, "1 yes\n");
	evbuffer_add(client.stdin_data, "words\n", 6);
	client_await(&client, &client.has_ended);
	assert_string_equal(client_text(&client, 0), "1 yes\ngot words\n");
	assert_string_equal(client_text(&client, 1), "err\n");
	client_check_exit(&client, 5);
	client_close(&client);
	lab_await_news(&lab, 'e');
	/* Who attaches later still gets it; what was not acknowledged is still there. */
	client_open(&client, &lab);
	client_attach(&client, 6, 4);
	client_await(&client, &client.has_ended);
	assert_string_equal(client_text(&client, 0), "got words\n");
	assert_string_equal(client_text(&client, 1), "");
	client_check_exit(&client, 5);
	client_close(&client);
	/* And there is nothing to be joined. */
	client_open(&client, &lab);
	client_exec(&client, "{}", words("true"), NULL);
	client_await(&client, &client.has_ended);
	assert_int_equal(client.error_status, 126);
	assert_string_equal(client.text, "the workload has ended");
	client_close(&client);
	lab_stop(&lab);
}

/* The output of seq -w 1 8388608: lines of 8 bytes, 64 MiB. */
static uint8_t line_byte(uint64_t offset)
{
	uint64_t number = offset / 8 + 1;

	if (offset % 8 == 7)
		return '\n';
	for (uint64_t i = offset % 8; i < 6; i++)
		number /= 10;
	return (uint8_t)('0' + number % 10);
}

/* Clients lose their connection again and again, at any offset, and go on where they were. */
static void test_nothing_is_lost_or_doubled(void **state)
{
	const uint64_t total = 64 * MIB;
	uint64_t have = 0;
	struct lab lab;
	struct lab_client client;
	int n_connections = 0;

	lab_start(&lab, &(struct lab_plan) { .argv = words("seq", "-w", "1", "8388608") });
	for (; have < total; n_connections++) {
		client_open(&client, &lab);
		client.expected = line_byte;
		client_attach(&client, have, 0);
		assert_int_equal(client.attached.n_stdout, have);
		client_await_output(&client, have + 300000 + 777 * (uint64_t)n_connections);
		if (n_connections % 2 == 0) {
			client_acknowledge(&client);
			client_settle(&client, 0);
		}
		have = client.n_outputs[0];
		if (have == total) {
			client_await(&client, &client.has_ended);
			client_check_exit(&client, 0);
		}
		client_close(&client);
	}
	assert_int_equal(have, total);
	assert_true(n_connections >= 64);
	lab_await_news(&lab, 'e');
	lab_stop(&lab);
}

/* Output that nobody acknowledges stops the workload, and is all there when somebody does. */
static void test_waits_for_acknowledgement(void **state)
{
	struct lab lab;
	struct lab_client client;

	lab_start(&lab,
		&(struct lab_plan) {
			.argv = words("sh", "-c", "seq 1 1000000; echo over >&2; sleep 100000") });
	client_open(&client, &lab);
	client_attach(&client, 0, 0);
	client_await_output(&client, MIB);
	assert_false(client_hears(&client, 300));
	assert_int_equal(client.n_outputs[0], MIB);
	for (uint64_t n = MIB; n < 6888896; n = client.n_outputs[0]) {
		client_acknowledge(&client);
		client_await_output(&client, n + 1);
	}
	client_await_error(&client, "over\n");
	assert_int_equal(client.n_outputs[0], 6888896);
	assert_string_equal(client_text(&client, 0) + 6888896 - 8, "1000000\n");
	client_close(&client);
	lab_stop(&lab);
}

static void test_last_attachment_wins(void **state)
{
	struct lab lab;
	struct lab_client first, second;

	lab_start(&lab, &(struct lab_plan) { .argv = words("cat") });
	client_open(&first, &lab);
	client_attach(&first, 0, 0);
	evbuffer_add(first.stdin_data, "one\n", 4);
	client_await_text(&first, "one\n");
	client_open(&second, &lab);
	client_attach(&second, 4, 0);
	client_await(&first, &first.has_ended);
	assert_false(first.has_exit);
	evbuffer_add(second.stdin_data, "two\n", 4);
	client_await_text(&second, "two\n");
	assert_string_equal(client_text(&second, 0), "two\n");
	client_close(&first);
	/* Beyond what there is: not one of its clients. */
	client_open(&first, &lab);
	client_send(&first);
	const struct agent_offsets beyond = { .n_stdout = 9 };

	agent_wire_put_offsets(first.out, AGENT_ATTACH, &beyond);
	client_await(&first, &first.has_ended);
	assert_true(first.has_error);
	client_close(&first);
	/* An acknowledgement of what was not sent ends the one that it comes from. */
	agent_wire_put_offsets(second.out, AGENT_OUTPUT_ACK, &beyond);
	client_await(&second, &second.has_ended);
	client_close(&second);
	client_open(&second, &lab);
	client_attach(&second, 8, 0);
	second.closes_stdin = true;
	client_await(&second, &second.has_exit);
	client_close(&second);
	lab_stop(&lab);
}

/* To the process alone; an init ignores what it has no handler for. */
static void test_signals(void **state)
{
	struct lab lab;
	struct lab_client client;

	lab_start(&lab,
		&(struct lab_plan) {
			.argv = words("sh", "-c",
				"trap 'echo term' TERM; echo up; while :; do sleep 0.05; done") });
	client_open(&client, &lab);
	client_attach(&client, 0, 0);
	client_await_text(&client, "up\n");
	client_signal(&client, SIGHUP);
	client_signal(&client, SIGTERM);
	client_await_text(&client, "term\n");
	client_signal(&client, SIGKILL);
	client_await(&client, &client.has_ended);
	assert_true(client.ex.signalled);
	assert_int_equal(client.ex.value, SIGKILL);
	client_close(&client);
	lab_await_news(&lab, 'e');
	lab_stop(&lab);
}

/* All that runs beside it ends with it: it is their init. */
static void test_its_end_ends_execs(void **state)
{
	struct lab lab;
	struct lab_client workload, exec;

	lab_start(&lab, &(struct lab_plan) { .argv = words("sh", "-c", "read x; exit 4") });
	client_open(&workload, &lab);
	client_attach(&workload, 0, 0);
	client_open(&exec, &lab);
	client_exec(
		&exec, "{}", words("sh", "-c", "setsid sleep 72001 & echo up; sleep 72002"), NULL);
	client_await_text(&exec, "up\n");
	workload.closes_stdin = true;
	client_await(&workload, &workload.has_ended);
	client_check_exit(&workload, 4);
	client_await(&exec, &exec.has_ended);
	assert_true(exec.ex.signalled);
	assert_int_equal(exec.ex.value, SIGKILL);
	lab_await_runs("72001", false);
	client_close(&workload);
	client_close(&exec);
	lab_stop(&lab);
}

static void check_groups(struct lab *lab, const char *spec, const char *expected)
{
	struct lab_client client;

	client_open(&client, lab);
	client.closes_stdin = true;
	client_exec(&client, spec, words("id", "-G"), NULL);
	client_await(&client, &client.has_ended);
	assert_string_equal(client_text(&client, 0), expected);
	client_close(&client);
}

/* An exec has the workload's groups, or those that it says and no other. */
static void test_groups_of_execs(void **state)
{
	struct lab lab;
	struct lab_client workload;

	lab_start(&lab,
		&(struct lab_plan) {
			.spec = "{\"user\":\"1000:1001\",\"additionalGids\":[5],\"groups\":\"6\"}",
			.argv = words("sh", "-c", "read x") });
	client_open(&workload, &lab);
	client_attach(&workload, 0, 0);
	check_groups(&lab, "{}", "1001 5 6\n");
	check_groups(&lab, "{\"user\":\"33:34\"}", "34 5 6\n");
	check_groups(&lab, "{\"user\":\"33:34\",\"groups\":\"\"}", "34\n");
	check_groups(&lab, "{\"groups\":\"7,8\"}", "1001 7 8\n");
	check_groups(&lab, "{\"additionalGids\":[9]}", "1001 9\n");
	workload.closes_stdin = true;
	client_await(&workload, &workload.has_ended);
	client_close(&workload);
	lab_stop(&lab);
}

/* --- no workload ------------------------------------------------------------------------------ */

static void check_error(struct lab *lab, uint32_t status, const char *text)
{
	struct lab_client client;

	client_open(&client, lab);
	client_attach(&client, 0, 0);
	assert_true(client.has_error);
	assert_int_equal(client.error_status, status);
	assert_string_equal(client.text, text);
	client_close(&client);
}

static void test_failures(void **state)
{
	struct lab_client client;
	struct lab lab;

	lab_start(&lab, &(struct lab_plan) { .failure = "mount /data: No such device" });
	check_error(&lab, 126, "mount /data: No such device");
	/* One can look around in what there is. */
	client_run(&client, &lab, "ls /etc; test -e /proc/self/exe && echo proc");
	assert_string_equal(client_text(&client, 0), "group\npasswd\nproc\n");
	client_close(&client);
	lab_stop(&lab);

	lab_start(&lab, &(struct lab_plan) { .argv = words("nonesuch") });
	check_error(&lab, 127, "nonesuch: not found in PATH");
	check_error(&lab, 127, "nonesuch: not found in PATH");
	lab_stop(&lab);

	lab_start(&lab, &(struct lab_plan) {
				.argv = words("true"), .spec = "{\"cwd\":\"/etc/passwd/none\"}" });
	check_error(&lab, 126, "cannot enter the directory /etc/passwd/none: Not a directory");
	lab_stop(&lab);
}

/* Who is not process 1 is ended by a signal that it does not listen for; orphans are waited for. */
static void test_small_init(void **state)
{
	struct lab_client client, exec;
	struct lab lab;

	lab_start(&lab,
		&(struct lab_plan) { .spec = "{\"init\":true}",
			.argv = words("sh", "-c",
				"echo $$; (sleep 0.01 &); cat /proc/1/comm; exec sleep 72005") });
	client_open(&client, &lab);
	client_attach(&client, 0, 0);
	client_await_text(&client, "2\nsluice-init\n");
	client_run(&exec, &lab,
		"while cat /proc/[0-9]*/stat 2>/dev/null | grep -q ') Z 1 '; do sleep 0.05; done; "
		"readlink /proc/1/fd/* | wc -l");
	assert_string_equal(client_text(&exec, 0), "0\n");
	client_close(&exec);
	client_signal(&client, SIGTERM);
	client_await(&client, &client.has_ended);
	client_check_exit(&client, 128 + SIGTERM);
	client_close(&client);
	lab_await_news(&lab, 'e');
	lab_stop(&lab);

	lab_start(
		&lab, &(struct lab_plan) { .spec = "{\"init\":true}", .argv = words("nonesuch") });
	check_error(&lab, 127, "nonesuch: not found in PATH");
	lab_stop(&lab);
}

/* As a container's: it is root's, whoever the workload is. */
static void test_missing_directory_is_made(void **state)
{
	struct lab_client client;
	struct lab lab;

	lab_start(&lab, &(struct lab_plan) { .argv = words("sleep", "72004"),
				.spec = "{\"cwd\":\"/srv//new/./deep/\",\"user\":\"www\"}" });
	client_run(&client, &lab, "pwd; stat -c '%U %a' /srv /srv/new .");
	assert_string_equal(
		client_text(&client, 0), "/srv/new/deep\nroot 755\nroot 755\nroot 755\n");
	client_close(&client);
	lab_stop(&lab);
}

/* Who comes before it is known what there will be waits. */
static void test_early_clients(void **state)
{
	struct lab_client attached, exec;
	struct lab lab;

	lab_start(&lab, &(struct lab_plan) { .late = words("sh", "-c", "echo late; sleep 72003"),
				.spec = "{\"user\":\"www\",\"cwd\":\"/work\"}" });
	client_open(&attached, &lab);
	agent_wire_put_offsets(attached.out, AGENT_ATTACH, &(struct agent_offsets) { 0 });
	client_send(&attached);
	client_open(&exec, &lab);
	exec.closes_stdin = true;
	client_exec(&exec, "{}", words("sh", "-c", "id -u; pwd"), NULL);
	client_send(&exec);
	assert_false(exec.has_ended || exec.has_started);
	kill(lab.agent, SIGUSR1);
	client_await(&exec, &exec.has_ended);
	/* It takes over what START leaves out. */
	assert_string_equal(client_text(&exec, 0), "33\n/work\n");
	client_await_text(&attached, "late\n");
	client_close(&attached);
	client_close(&exec);
	lab_stop(&lab);
}

/* --- requests --------------------------------------------------------------------------------- */

static void test_status(void **state)
{
	struct lab_client client;
	struct lab lab;
	json_t *status;

	lab_start(&lab, &(struct lab_plan) { .argv = words("sleep", "100000") });
	client_run(&client, &lab, "true"); /* so that the workload has been executed */
	client_close(&client);
	client_open(&client, &lab);
	agent_wire_put(client.out, AGENT_STATUS, NULL, 0);
	client_await(&client, &client.has_status);
	status = json_loads(client.text, 0, NULL);
	assert_non_null(status);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(status, "workload"), "state")),
		"running");
	assert_true(json_integer_value(json_object_get(status, "uptimeMs")) > 0);
	assert_int_equal(json_integer_value(json_object_get(status, "bootMs")), 12);
	assert_int_equal(json_integer_value(json_object_get(status, "processes")), 1);
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(status, "mounts"), 0), "destination")),
		"/");
	assert_non_null(strstr(client.text, "{\"interface\":\"lo\",\"address\":\"127.0.0.1\","
					    "\"prefix\":8}"));
	json_decref(status);
	client_close(&client);

	client_open(&client, &lab);
	agent_wire_put(client.out, AGENT_POWEROFF, NULL, 0);
	client_await(&client, &client.has_ended);
	client_close(&client);
	lab_await_news(&lab, 'p');
	lab_stop(&lab);
}

/* A socket that listens; its port. */
static int listen_at(const char *address, int family, unsigned *port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr *any = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	assert_int_equal(inet_pton(family, address,
				 family == AF_INET ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr),
		1);
	assert_return_code(bind(fd, any, len), errno);
	assert_return_code(listen(fd, 1), errno);
	assert_return_code(getsockname(fd, any, &len), errno);
	*port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

static json_t *ask_status(const struct lab *lab)
{
	struct lab_client client;
	json_t *status;

	client_open(&client, lab);
	agent_wire_put(client.out, AGENT_STATUS, NULL, 0);
	client_await(&client, &client.has_status);
	status = json_loads(client.text, 0, NULL);
	assert_non_null(status);
	client_close(&client);
	return status;
}

static bool has_row(const json_t *status, const char *list, json_t *wanted)
{
	const json_t *row;
	bool found = false;
	size_t i;

	json_array_foreach (json_object_get(status, list), i, row)
		found |= json_equal(row, wanted) == 1;
	json_decref(wanted);
	return found;
}

static bool listens(const json_t *status, const char *address, unsigned port)
{
	return has_row(status, "listening",
		json_pack("{s:s, s:i}", "address", address, "port", (int)port));
}

/* In a network namespace of its own, where nobody else listens. */
static void test_status_of_the_network(void **state)
{
	unsigned port4, port6, bound;
	struct lab lab;
	json_t *status;
	int v4, v6, idle;

	assert_return_code(unshare(CLONE_NEWNET), errno);
	assert_int_equal(system("ip link set lo up && ip addr add 2001:db8::7/64 dev lo nodad"), 0);
	lab_start(&lab, &(struct lab_plan) { .failure = "none" }); /* it inherits none of these */
	v4 = listen_at("127.0.0.1", AF_INET, &port4);
	v6 = listen_at("::1", AF_INET6, &port6);
	idle = listen_at("127.0.0.1", AF_INET, &bound);
	close(idle);
	status = ask_status(&lab);
	assert_true(listens(status, "127.0.0.1", port4));
	assert_true(listens(status, "::1", port6));
	assert_int_equal(json_array_size(json_object_get(status, "listening")), 2);
	assert_true(has_row(status, "addresses",
		json_pack("{s:s, s:s, s:i}", "interface", "lo", "address", "2001:db8::7", "prefix",
			64)));
	assert_true(has_row(status, "addresses",
		json_pack("{s:s, s:s, s:i}", "interface", "lo", "address", "::1", "prefix", 128)));
	json_decref(status);
	close(v4);
	close(v6);
	status = ask_status(&lab);
	assert_int_equal(json_array_size(json_object_get(status, "listening")), 0);
	json_decref(status);
	lab_stop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_and_ends),
		cmocka_unit_test(test_nothing_is_lost_or_doubled),
		cmocka_unit_test(test_waits_for_acknowledgement),
		cmocka_unit_test(test_last_attachment_wins),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_small_init),
		cmocka_unit_test(test_its_end_ends_execs),
		cmocka_unit_test(test_groups_of_execs),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_missing_directory_is_made),
		cmocka_unit_test(test_early_clients),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_of_the_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
