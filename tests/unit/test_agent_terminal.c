/* SPDX-License-Identifier: BSD-3-Clause */

/* Execs and a workload with a terminal. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "agent_lab.h"

#define TERMINAL "{\"terminal\":true,\"rows\":31,\"columns\":97}"

static void open_shell(struct lab_client *client, struct lab *lab, const char *script)
{
	client_open(client, lab);
	client_exec(client, TERMINAL, words("sh", "-c", script), NULL);
}

static void test_size_and_resize(void **state)
{
	const struct agent_window window = { .rows = 11, .columns = 222 };
	struct lab_client client;

	open_shell(&client, *state,
		"stty size; trap 'stty size; exit 0' WINCH; echo up; while :; do sleep 0.05; done");
	client_await_text(&client, "31 97\r\nup\r\n");
	agent_wire_put_window(client.out, &window);
	client_await(&client, &client.has_ended);
	assert_string_equal(client_text(&client, 0), "31 97\r\nup\r\n11 222\r\n");
	client_check_exit(&client, 0);
	client_close(&client);
}

/* Its own devpts, a controlling terminal, one stream, and the user's. */
static void test_is_a_terminal(void **state)
{
	struct lab_client client;

	client_open(&client, *state);
	client_exec(&client, "{\"terminal\":true,\"user\":\"www\"}",
		words("sh", "-c",
			"test -t 0 && test -t 1 && test -t 2 && echo all; echo err >&2; "
			"ls -ln /proc/self/fd/0 2>/dev/null | grep -c /dev/pts/; echo tty "
			">/dev/tty; "
			"echo again >/dev/stdout; ls -ln $(readlink /proc/self/fd/0 || echo "
			"/dev/pts/0) 2>/dev/null "
			"| tr -s ' ' | while read m l u rest; do echo $u; done"),
		NULL);
	client_await(&client, &client.has_ended);
	assert_string_equal(client_text(&client, 0), "all\r\nerr\r\n1\r\ntty\r\nagain\r\n33\r\n");
	assert_int_equal(client.n_outputs[1], 0);
	client_close(&client);
}

static void test_end_of_input(void **state)
{
	struct lab_client client;

	/* Behind a newline, and in the middle of a line. */
	for (int i = 0; i < 2; i++) {
		open_shell(&client, *state, "stty -echo; echo up; cat; echo over");
		client_await_text(&client, "up\r\n");
		evbuffer_add(client.stdin_data, "line\npart", i == 0 ? 5 : 9);
		client.closes_stdin = true;
		client_await(&client, &client.has_ended);
		assert_string_equal(client_text(&client, 0),
			i == 0 ? "up\r\nline\r\nover\r\n" : "up\r\nline\r\npartover\r\n");
		client_check_exit(&client, 0);
		client_close(&client);
	}
	/* Without any. */
	open_shell(&client, *state, "cat; echo over");
	client.closes_stdin = true;
	client_await(&client, &client.has_ended);
	assert_non_null(strstr(client_text(&client, 0), "over\r\n"));
	client_close(&client);
}

static void test_interrupt_key(void **state)
{
	struct lab_client client;

	open_shell(&client, *state, "trap 'echo int; exit 9' INT; echo up; sleep 73001");
	client_await_text(&client, "up\r\n");
	lab_await_runs("73001", true);
	evbuffer_add(client.stdin_data, "\3", 1);
	client_await(&client, &client.has_ended);
	assert_non_null(strstr(client_text(&client, 0), "int\r\n"));
	client_check_exit(&client, 9);
	client_close(&client);
}

/* The key does not get through when nobody reads: the signal does. */
static void test_interrupt_while_stdin_is_full(void **state)
{
	struct lab_client client;

	open_shell(&client, *state, "stty -echo; echo up; sleep 73002");
	client_await_text(&client, "up\r\n");
	for (int i = 0; i < 100000; i++)
		evbuffer_add(client.stdin_data, "0123456\n", 8);
	client_await_full(&client);
	assert_true(evbuffer_get_length(client.stdin_data) > 0);
	lab_await_runs("73002", true);
	client_signal(&client, SIGINT);
	client_await(&client, &client.has_ended);
	assert_true(client.has_exit && client.ex.signalled);
	assert_int_equal(client.ex.value, SIGINT);
	client_close(&client);
	lab_await_runs("73002", false);
}

/* In the foreground is what the shell has put there. */
static void test_signal_goes_to_the_foreground(void **state)
{
	struct lab_client client;

	open_shell(&client, *state, "set -m; sleep 73003; echo after $?");
	client_await(&client, &client.has_started);
	lab_await_runs("73003", true);
	client_signal(&client, SIGTERM);
	client_await(&client, &client.has_ended);
	assert_non_null(strstr(client_text(&client, 0), "after 143\r\n"));
	client_check_exit(&client, 0);
	client_close(&client);
}

static void test_all_output_before_exit(void **state)
{
	struct lab_client client;

	for (int i = 0; i < 20; i++) {
		client_open(&client, *state);
		client_exec(&client, TERMINAL, words("seq", "1", "20000"), NULL);
		client_await(&client, &client.has_ended);
		assert_int_equal(client.n_outputs[0], 108894 + 20000);
		client_check_exit(&client, 0);
		client_close(&client);
	}
	/* Also if somebody keeps the terminal open. */
	open_shell(&client, *state, "trap '' HUP; sleep 73004 & seq 1 20000");
	client_await(&client, &client.has_ended);
	assert_int_equal(client.n_outputs[0], 108894 + 20000);
	client_close(&client);
	lab_await_runs("73004", true);
	client_run(&client, *state,
		"kill -KILL $(ps | grep '[7]3004' | head -n 1 | tr -s ' ' | "
		"while read pid rest; do echo $pid; done)");
	client_close(&client);
}

static void test_client_goes(void **state)
{
	struct lab_client client;

	open_shell(&client, *state, "set -m; trap '' HUP; sleep 73005 & echo up; sleep 73006");
	client_await_text(&client, "up\r\n");
	lab_await_runs("73006", true);
	client_close(&client);
	lab_await_runs("73005", false);
	lab_await_runs("73006", false);
	lab_await_idle(*state);
}

/* The console of its root. */
static void test_workload(void **state)
{
	struct lab lab;
	struct lab_client client;

	lab_start(&lab, &(struct lab_plan) { .spec = TERMINAL,
				.argv = words("sh", "-c",
					"stty size; echo console >/dev/console; read x; echo "
					"\"<$x>\"; exit 3") });
	client_open(&client, &lab);
	client_attach(&client, 0, 0);
	client_await_text(&client, "31 97\r\nconsole\r\n");
	evbuffer_add(client.stdin_data, "a\n", 2);
	client_await(&client, &client.has_ended);
	assert_string_equal(client_text(&client, 0), "31 97\r\nconsole\r\na\r\n<a>\r\n");
	client_check_exit(&client, 3);
	client_close(&client);
	lab_stop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_and_resize),
		cmocka_unit_test(test_is_a_terminal),
		cmocka_unit_test(test_end_of_input),
		cmocka_unit_test(test_interrupt_key),
		cmocka_unit_test(test_interrupt_while_stdin_is_full),
		cmocka_unit_test(test_signal_goes_to_the_foreground),
		cmocka_unit_test(test_all_output_before_exit),
		cmocka_unit_test(test_client_goes),
		cmocka_unit_test(test_workload),
	};

	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
