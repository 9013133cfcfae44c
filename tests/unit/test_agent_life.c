/* SPDX-License-Identifier: BSD-3-Clause */

/* Execs that come, go, leave something behind, and break the rules. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "agent_lab.h"

#define N_SEQUENTIAL 1000
#define N_PARALLEL   64
#define N_ATTEMPTS   5

/* --- a client that goes ----------------------------------------------------------------------- */

static void test_client_goes_and_the_session_with_it(void **state)
{
	struct lab_client client;

	client_open(&client, *state);
	/* A child, one in a group of its own (set -m), and the shell itself refuses to go. */
	client_exec(&client, "{}",
		words("sh", "-c",
			"trap '' HUP; sleep 71001 & set -m; sleep 71002 & echo up; "
			"while :; do sleep 71003; done"),
		NULL);
	client_await_text(&client, "up\n");
	lab_await_runs("71001", true);
	lab_await_runs("71002", true);
	lab_await_runs("71003", true);
	client_close(&client);
	lab_await_runs("71001", false);
	lab_await_runs("71002", false);
	lab_await_runs("71003", false);
	lab_await_idle(*state);
}

/* Whether an exec whose client goes had the time to say that it heard of it. */
static bool is_heard_of(struct lab *lab)
{
	struct lab_client client;
	char script[128];
	bool heard;

	client_open(&client, lab);
	client_exec(&client, "{}",
		words("sh", "-c", "trap 'echo hup >/work/heard; exit' HUP; echo up; read x"), NULL);
	client_await_text(&client, "up\n");
	snprintf(script, sizeof(script),
		"while test -e /proc/%u; do sleep 0.05; done; cat /work/heard 2>/dev/null",
		(unsigned)client.pid);
	client_close(&client);
	client_run(&client, lab, script);
	heard = strcmp(client_text(&client, 0), "hup\n") == 0;
	client_close(&client);
	return heard;
}

/* SIGHUP first: who handles it can clean up. It has a second for that, which a machine that stops
 * may take away: then once more. */
static void test_client_goes_and_is_heard_of(void **state)
{
	for (int i = 0; i < N_ATTEMPTS; i++)
		if (is_heard_of(*state))
			return;
	fail_msg("nobody hears of it when its client goes");
}

/* While it writes and nobody reads. */
static void test_client_goes_under_load(void **state)
{
	struct lab_client client;

	client_open(&client, *state);
	client_exec(&client, "{}", words("yes"), NULL);
	client_await_output(&client, 4096);
	poll(NULL, 0, 300);
	client_close(&client);
	lab_await_idle(*state);
}

static void test_grandchild_holds_stdout(void **state)
{
	struct lab_client client;

	client_run(&client, *state, "echo before; setsid sleep 71004 & echo behind; exit 3");
	assert_string_equal(client_text(&client, 0), "before\nbehind\n");
	client_check_exit(&client, 3);
	client_close(&client);
	/* It is a daemon: nobody's client. */
	lab_await_runs("71004", true);
	client_run(&client, *state,
		"kill -KILL $(ps | grep '[7]1004' | head -n 1 | tr -s ' ' | "
		"while read pid rest; do echo $pid; done)");
	client_close(&client);
	lab_await_runs("71004", false);
}

/*
 * What an exec leaves behind becomes the agent's own child, which it did not start and does not
 * know: it is waited for all the same. Without a workload there is no other PID 1 that would.
 */
static void test_orphans_are_reaped(void **state)
{
	struct lab_client client;
	struct lab lab;

	lab_start(&lab, &(struct lab_plan) { .failure = "no entrypoint found" });
	lab_note_idle(&lab);
	client_run(&client, &lab,
		"for i in 1 2 3; do setsid sh -c "
		"'until test -e /work/go; do sleep 0.05; done' >/dev/null 2>&1 & done");
	client_check_exit(&client, 0);
	client_close(&client);
	lab_await_children(&lab, 3);
	lab_touch(&lab, "work/go");
	lab_await_idle(&lab);
	lab_stop(&lab);
}

static void test_all_output_before_exit(void **state)
{
	struct lab_client client;

	client_open(&client, *state);
	client_exec(&client, "{}", words("sh", "-c", "seq 1 200000; setsid sleep 71005 &"), NULL);
	client_await(&client, &client.has_started);
	poll(NULL, 0, 500); /* the rings and the socket are full */
	client_await(&client, &client.has_ended);
	assert_int_equal(client.n_outputs[0], 1288895);
	client_check_exit(&client, 0);
	client_close(&client);
	lab_await_runs("71005", true);
	client_run(&client, *state,
		"kill -KILL $(ps | grep '[7]1005' | head -n 1 | tr -s ' ' | "
		"while read pid rest; do echo $pid; done)");
	client_close(&client);
	lab_await_runs("71005", false);
}

/* A client may be slower than the agent is patient with one that has nothing to write. */
static void test_slow_client_gets_all(void **state)
{
	struct lab_client client;

	client_open(&client, *state);
	client_exec(&client, "{}", words("seq", "-w", "1", "60000"), NULL);
	client_await(&client, &client.has_started);
	poll(NULL, 0, 6000);
	client_await(&client, &client.has_ended);
	assert_int_equal(client.n_outputs[0], 360000);
	client_check_exit(&client, 0);
	client_close(&client);
	lab_await_idle(*state);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void test_signal_reaches_the_group(void **state)
{
	struct lab_client client;

	client_open(&client, *state);
	client_exec(
		&client, "{}", words("sh", "-c", "echo up; sleep 71006; echo not reached"), NULL);
	client_await_text(&client, "up\n");
	lab_await_runs("71006", true);
	client_signal(&client, SIGINT);
	client_await(&client, &client.has_ended);
	assert_true(client.ex.signalled);
	assert_int_equal(client.ex.value, SIGINT);
	lab_await_runs("71006", false);
	client_close(&client);
}

/* A signal does not wait behind input that nobody takes. */
static void test_signal_while_stdin_is_full(void **state)
{
	struct lab_client client;

	client_open(&client, *state);
	client_exec(&client, "{}", words("sh", "-c", "echo up; sleep 71007"), NULL);
	client_await_text(&client, "up\n");
	lab_add_bytes(client.stdin_data, 0, 4 << 20);
	client_await_full(&client);
	assert_true(evbuffer_get_length(client.stdin_data) > 3 << 20);
	client_signal(&client, SIGTERM);
	client_await(&client, &client.has_ended);
	assert_true(client.ex.signalled);
	assert_int_equal(client.ex.value, SIGTERM);
	client_close(&client);
}

/* Said before there is anybody to say it to. */
static void test_signal_before_it_runs(void **state)
{
	struct lab_client client;

	client_open(&client, *state);
	client_exec(&client, "{}", words("sleep", "71008"), NULL);
	client_signal(&client, SIGKILL);
	client_await(&client, &client.has_ended);
	assert_true(client.has_exit && client.ex.signalled);
	assert_int_equal(client.ex.value, SIGKILL);
	client_close(&client);
}

/* --- many ------------------------------------------------------------------------------------- */

static void test_sequential(void **state)
{

	for (int i = 0; i < N_SEQUENTIAL; i++) {
		struct lab_client client;

		client_open(&client, *state);
		client_exec(&client, "{}", words("true"), NULL);
		client_await(&client, &client.has_ended);
		client_check_exit(&client, 0);
		client_close(&client);
	}
	lab_await_idle(*state);
}

static void test_parallel(void **state)
{
	static struct lab_client clients[N_PARALLEL];

	for (int i = 0; i < N_PARALLEL; i++) {
		client_open(&clients[i], *state);
		client_exec(&clients[i], "{}", words("sh", "-c", "echo up; cat; exit 9"), NULL);
		client_send(&clients[i]);
	}
	for (int i = 0; i < N_PARALLEL; i++)
		client_await_text(&clients[i], "up\n");
	lab_await_children(*state, N_PARALLEL);
	for (int i = 0; i < N_PARALLEL; i++) {
		lab_add_bytes(clients[i].stdin_data, 0, 300000);
		clients[i].closes_stdin = true;
		client_await(&clients[i], &clients[i].has_ended);
		assert_int_equal(clients[i].n_outputs[0], 300003);
		client_check_exit(&clients[i], 9);
		client_close(&clients[i]);
	}
	lab_await_idle(*state);
}

static void test_too_many(void **state)
{
	static struct lab_client clients[257];
	struct lab_client status;

	for (int i = 0; i < 257; i++) {
		client_open(&clients[i], *state);
		client_exec(&clients[i], "{}", words("sleep", "71009"), NULL);
		client_await(
			&clients[i], i < 256 ? &clients[i].has_started : &clients[i].has_ended);
		assert_int_equal(clients[i].has_started, i < 256);
	}
	assert_true(clients[256].has_error);
	assert_int_equal(clients[256].error_status, 126);
	assert_non_null(strstr(clients[256].text, "too many"));
	/* Who asks how it is gets an answer. */
	client_open(&status, *state);
	agent_wire_put(status.out, AGENT_STATUS, NULL, 0);
	client_await(&status, &status.has_status);
	assert_non_null(strstr(status.text, "\"processes\":257"));
	client_close(&status);
	for (int i = 0; i < 257; i++)
		client_close(&clients[i]);
	lab_await_idle(*state);
}

/* --- clients that break the rules ------------------------------------------------------------- */

static void check_ended(struct lab *lab, struct lab_client *client)
{
	client_await(client, &client->has_ended);
	assert_true(client->has_ended);
	assert_false(client->has_exit);
	client_close(client);
	client_run(client, lab, "echo well");
	assert_string_equal(client_text(client, 0), "well\n");
	client_close(client);
}

static void test_broken_clients(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{ "GET / HTTP/1.1\r\nHost: agent\r\n\r\n", 31 },
		{ "\1\0\0\0\14\0\0\0SLUICE\r\n\2\0\0\0", 20 }, /* version 2 */
		{ "\1\0\0\0\14\0\0\0SLUICE\r\n\1\0\0\0\1\0\0\0\14\0\0\0SLUICE\r\n\1\0\0\0", 40 },
		{ "\1\0\0\0\14\0\0\0SLUICE\r\n\1\0\0\0\14\0\0\0\4\0\0\0\11\0\0\0",
			32 }, /* SIGNAL */
		{ "\1\0\0\0\14\0\0\0SLUICE\r\n\1\0\0\0\3\0\0\0\377\377\377\377", 28 },
		{ "\1\0\0\0\14\0\0\0SLUICE\r\n\1\0\0\0\15\0\0\0\10\0\0\0", 28 }, /* EXIT */
		{ "\1\0\0\0\14\0\0\0SLUICE\r\n\1\0\0\0\22\1\0\0\0\0\0\0", 28 },
		{ "\22\0\0\0\0\0\0\0", 8 }, /* STATUS before HELLO */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab_client client;

		client_open(&client, *state);
		evbuffer_drain(client.out, evbuffer_get_length(client.out));
		evbuffer_add(client.out, rows[i].bytes, rows[i].len);
		check_ended(*state, &client);
	}
}

static void test_stdin_without_credit(void **state)
{
	struct lab_client client;
	static char bytes[65536];

	client_open(&client, *state);
	client_exec(&client, "{}", words("sleep", "71010"), NULL);
	client_await(&client, &client.has_started);
	for (int i = 0; i < 6; i++)
		agent_wire_put(client.out, AGENT_STDIN, bytes, sizeof(bytes));
	check_ended(*state, &client);
	lab_await_runs("71010", false);

	client_open(&client, *state);
	client_exec(&client, "{}", words("sleep", "71011"), NULL);
	agent_wire_put(client.out, AGENT_STDIN_CLOSE, NULL, 0);
	client_await(&client, &client.has_started);
	agent_wire_put(client.out, AGENT_STDIN, bytes, 1);
	check_ended(*state, &client);
	lab_await_runs("71011", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_goes_and_the_session_with_it),
		cmocka_unit_test(test_client_goes_and_is_heard_of),
		cmocka_unit_test(test_client_goes_under_load),
		cmocka_unit_test(test_grandchild_holds_stdout),
		cmocka_unit_test(test_orphans_are_reaped),
		cmocka_unit_test(test_all_output_before_exit),
		cmocka_unit_test(test_slow_client_gets_all),
		cmocka_unit_test(test_signal_reaches_the_group),
		cmocka_unit_test(test_signal_while_stdin_is_full),
		cmocka_unit_test(test_signal_before_it_runs),
		cmocka_unit_test(test_sequential),
		cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_broken_clients),
		cmocka_unit_test(test_stdin_without_credit),
	};

	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
