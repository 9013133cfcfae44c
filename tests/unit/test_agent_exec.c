/* SPDX-License-Identifier: BSD-3-Clause */

/* An exec as its client sees it: bytes, vectors, who it is, how it ends. */

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

#define MIB (1024ULL * 1024)

static void test_streams_are_apart(void **state)
{
	struct lab_client client;

	client_run(&client, *state, "echo out; echo err >&2; exit 7");
	assert_string_equal(client_text(&client, 0), "out\n");
	assert_string_equal(client_text(&client, 1), "err\n");
	client_check_exit(&client, 7);
	client_close(&client);
}

static void test_64_mib_through_cat(void **state)
{
	struct lab_client client;
	const uint64_t total = 64 * MIB;
	uint64_t n_put = 0;

	client_open(&client, *state);
	client.expected = lab_byte;
	client_exec(&client, "{}", words("cat"), NULL);
	client_await(&client, &client.has_started);
	for (uint64_t n = 0; n < total; n += MIB) {
		lab_add_bytes(client.stdin_data, n_put, MIB);
		n_put += MIB;
		client.closes_stdin = n_put == total;
		client_await_output(&client, n_put >= 4 * MIB ? n_put - 4 * MIB : 0);
	}
	client_await(&client, &client.has_ended);
	assert_int_equal(client.n_outputs[0], total);
	assert_int_equal(client.n_outputs[1], 0);
	client_check_exit(&client, 0);
	client_close(&client);
}

static void test_stdin_without_bytes(void **state)
{
	struct lab_client client;

	client_run(&client, *state, "wc -c");
	assert_int_equal(atoi(client_text(&client, 0)), 0);
	client_check_exit(&client, 0);
	client_close(&client);
}

/* It is open until it is closed. */
static void test_stdin_waits(void **state)
{
	struct lab_client client;

	client_open(&client, *state);
	client_exec(&client, "{}", words("sh", "-c", "echo begun; cat; echo over"), NULL);
	client_await_text(&client, "begun\n");
	assert_false(client_hears(&client, 200));
	client.closes_stdin = true;
	client_await(&client, &client.has_ended);
	assert_string_equal(client_text(&client, 0), "begun\nover\n");
	client_check_exit(&client, 0);
	client_close(&client);
}

/* Who closes its stdin does not stop its client. */
static void test_stdin_that_nobody_reads(void **state)
{
	struct lab_client client;

	client_open(&client, *state);
	client_exec(&client, "{}",
		words("sh", "-c",
			"exec <&-; echo begun; read x </work/none; "
			"until test -e /work/go; do sleep 0.05; done; echo over"),
		NULL);
	client_await_text(&client, "begun\n");
	lab_add_bytes(client.stdin_data, 0, 2 * MIB);
	client.closes_stdin = true;
	client_await_sent(&client);
	lab_touch(*state, "work/go");
	client_await(&client, &client.has_ended);
	assert_string_equal(client_text(&client, 0), "begun\nover\n");
	client_check_exit(&client, 0);
	client_close(&client);
}

static void test_vectors_of_any_bytes(void **state)
{
	static const char wanted_env[] = "PATH=/bin\0LINES=a\nb\n\0=\0novalue\0HOME=/root";
	struct lab_client client;
	char all[256], variable[260];

	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	snprintf(variable, sizeof(variable), "ALL=%s", all);
	client_open(&client, *state);
	client_exec(&client, "{}", words("cat", "/proc/self/cmdline", all, "", "two\nlines"), NULL);
	client_await(&client, &client.has_ended);
	assert_int_equal(client.n_outputs[0], 4 + 19 + 256 + 1 + 10);
	assert_memory_equal(client_text(&client, 0) + 23, all, 256);
	assert_memory_equal(client_text(&client, 0) + 23 + 256, "\0two\nlines", 11);
	client_check_exit(&client, 1);
	client_close(&client);

	client_open(&client, *state);
	client_exec(&client, "{}", words("cat", "/proc/self/environ"),
		words("PATH=/bin", "LINES=a\nb\n", "=", "novalue"));
	client_await(&client, &client.has_ended);
	assert_int_equal(client.n_outputs[0], sizeof(wanted_env));
	assert_memory_equal(client_text(&client, 0), wanted_env, sizeof(wanted_env));
	client_close(&client);

	client_open(&client, *state);
	client_exec(&client, "{}", words("sh", "-c", "env | grep HOME | sort"),
		words("PATH=/bin", "HOME=", "HOMES=2"));
	client_await(&client, &client.has_ended);
	assert_string_equal(client_text(&client, 0), "HOME=/root\nHOMES=2\n");
	client_close(&client);
}

/* --- who and where ---------------------------------------------------------------------------- */

static void check_identity(struct lab *lab, const char *spec, const char *wanted)
{
	struct lab_client client;

	client_open(&client, lab);
	client.closes_stdin = true;
	client_exec(&client, spec,
		words("sh", "-c", "echo $(id -u):$(id -g):$(id -G) $HOME; echo x >/dev/stdout"),
		NULL);
	client_await(&client, &client.has_ended);
	if (client.has_error)
		fail_msg("%s: %s", spec, client.text);
	assert_string_equal(client_text(&client, 0), wanted);
	client_check_exit(&client, 0);
	client_close(&client);
}

static void test_identity(void **state)
{
	check_identity(*state, "{}", "0:0:0 /root\nx\n");
	check_identity(*state, "{\"user\":\"www\"}", "33:34:34 4 /var/www\nx\n");
	check_identity(*state, "{\"user\":\"33\"}", "33:34:34 4 /var/www\nx\n");
	check_identity(*state, "{\"user\":\"www:wheel\"}", "33:10:10 /var/www\nx\n");
	check_identity(*state, "{\"user\":\"1000\"}", "1000:0:0 /\nx\n");
	check_identity(*state, "{\"user\":\"1000:1001\",\"additionalGids\":[5,6]}",
		"1000:1001:1001 5 6 /\nx\n");
	check_identity(
		*state, "{\"user\":\"www\",\"additionalGids\":[7]}", "33:34:34 4 7 /var/www\nx\n");
}

static void check_script(struct lab *lab, const char *spec, const char *script, const char *wanted)
{
	struct lab_client client;

	client_open(&client, lab);
	client.closes_stdin = true;
	client_exec(&client, spec, words("sh", "-c", script), NULL);
	client_await(&client, &client.has_ended);
	if (client.has_error)
		fail_msg("%s: %s", spec, client.text);
	assert_string_equal(client_text(&client, 0), wanted);
	client_close(&client);
}

static void test_limits(void **state)
{
	static const char capabilities[] = "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status";

	check_script(*state, "{\"cwd\":\"/work\",\"umask\":63}", "pwd; umask", "/work\n0077\n");
	check_script(*state, "{}", "pwd; umask", "/\n0022\n");
	check_script(*state, "{\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":77,\"hard\":99}]}",
		"ulimit -Sn; ulimit -Hn", "77\n99\n");
	check_script(*state, "{\"noNewPrivileges\":true}", "grep NoNewPrivs /proc/self/status",
		"NoNewPrivs:\t1\n");
	check_script(*state, "{\"capabilities\":[\"CAP_KILL\",\"CAP_NET_RAW\"]}", capabilities,
		"CapInh:\t0000000000000000\nCapPrm:\t0000000000002020\n"
		"CapEff:\t0000000000002020\nCapBnd:\t0000000000002020\n"
		"CapAmb:\t0000000000000000\n");
	check_script(*state, "{\"capabilities\":[\"CAP_KILL\"],\"user\":\"www\"}", capabilities,
		"CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
		"CapEff:\t0000000000000000\nCapBnd:\t0000000000000020\n"
		"CapAmb:\t0000000000000000\n");
}

/* Nothing of the agent's is inherited: descriptors, signals. */
static void test_nothing_is_inherited(void **state)
{
	struct lab_client client;

	check_script(*state, "{}", "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ");
	check_script(*state, "{}", "exec grep -E 'Sig(Blk|Cgt)' /proc/self/status",
		"SigBlk:\t0000000000000000\nSigCgt:\t0000000000000000\n");
	/* A shell has signals of its own. */
	client_open(&client, *state);
	client_exec(&client, "{}", words("grep", "SigIgn", "/proc/self/status"), NULL);
	client_await(&client, &client.has_ended);
	assert_string_equal(client_text(&client, 0), "SigIgn:\t0000000000000000\n");
	client_close(&client);
}

/* It sees the workload's processes and mounts, and has its own root. */
static void test_namespaces(void **state)
{
	check_script(*state, "{}", "tr '\\0' ' ' </proc/1/cmdline", "sleep 100000 ");
	check_script(*state, "{}", "ls /etc", "group\npasswd\n");
	check_script(*state, "{}", "mount | grep -c -E ' (/proc|/dev/pts|/dev/shm) '", "3\n");
	check_script(*state, "{}", "test -c /dev/null && test -e /dev/fd/0 && echo yes", "yes\n");
}

/* --- how it ends ------------------------------------------------------------------------------ */

static void test_exit_and_signal(void **state)
{
	struct lab_client client;

	client_run(&client, *state, "exit 143");
	client_check_exit(&client, 143);
	client_close(&client);
	client_run(&client, *state, "kill -TERM $$");
	assert_true(client.has_exit && client.ex.signalled);
	assert_int_equal(client.ex.value, SIGTERM);
	client_close(&client);
}

static void check_refused(
	struct lab *lab, const char *spec, const char **argv, uint32_t status, const char *text)
{
	struct lab_client client;

	client_open(&client, lab);
	client_exec(&client, spec, argv, NULL);
	client_await(&client, &client.has_ended);
	assert_true(client.has_error);
	assert_false(client.has_started);
	if (client.error_status != status || strstr(client.text, text) == NULL)
		fail_msg("%u: %s", (unsigned)client.error_status, client.text);
	client_close(&client);
}

static void test_cannot_be_run(void **state)
{
	check_refused(*state, "{}", words("nonesuch"), 127, "nonesuch: not found in PATH");
	check_refused(*state, "{}", words(""), 127, "not found");
	check_refused(*state, "{}", words("/bin/nonesuch"), 127, "No such file");
	check_refused(*state, "{}", words("plain"), 126, "Permission denied");
	check_refused(*state, "{}", words("/bin"), 126, "Permission denied");
	check_refused(*state, "{}", words("/bin/garbled"), 126, "Exec format error");
	check_refused(*state, "{\"cwd\":\"/nonesuch\"}", words("true"), 126, "/nonesuch");
	check_refused(*state, "{\"cwd\":\"/private\",\"user\":\"www\"}", words("nonesuch"), 127,
		"not found");
	check_refused(*state, "{\"user\":\"nobody\"}", words("true"), 126, "user \"nobody\"");
	check_refused(*state, "{\"user\":\"www:none\"}", words("true"), 126, "group \"none\"");
	check_refused(*state, "{\"colour\":1}", words("true"), 126, "colour");
	check_refused(*state, "{", words("true"), 126, "START");
	check_refused(*state, "[]", words("true"), 126, "START");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams_are_apart),
		cmocka_unit_test(test_64_mib_through_cat),
		cmocka_unit_test(test_stdin_without_bytes),
		cmocka_unit_test(test_stdin_waits),
		cmocka_unit_test(test_stdin_that_nobody_reads),
		cmocka_unit_test(test_vectors_of_any_bytes),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_nothing_is_inherited),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_exit_and_signal),
		cmocka_unit_test(test_cannot_be_run),
	};

	return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
