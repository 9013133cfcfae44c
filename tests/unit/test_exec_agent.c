/* SPDX-License-Identifier: BSD-3-Clause */

/* sluice-exec and the agent's core, without a machine between them: what a user gets. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/exec_program.h"

#define STREAM_LEN (64U << 20)
#define N_PARALLEL 32

static char directory[] = "/tmp/exec-agent-XXXXXX";
static char socket_path[64];
static pid_t service;
static int service_input;

/* In namespaces of its own, which end with it, and with them all that it has started. */
static int start_service(void **state)
{
	int input[2];

	if (mkdtemp(directory) == NULL || pipe2(input, O_CLOEXEC) < 0)
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/vsock", directory);
	service = fork();
	if (service == 0) {
		dup2(input[0], STDIN_FILENO);
		execlp("unshare", "unshare", "--mount", "--pid", "--fork", "--kill-child",
			"--mount-proc", getenv("AGENT_SERVICE"), directory, NULL);
		_exit(1);
	}
	close(input[0]);
	service_input = input[1];
	return service > 0 ? 0 : -1;
}

static int stop_service(void **state)
{
	static const char *const names[] = { "vsock", "agent", "forward" };
	char path[128];
	int status;

	close(service_input);
	waitpid(service, &status, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	return rmdir(directory);
}

static void test_commands(void **state)
{
	static const struct {
		const char *words[12];
		int status;
		const char *out, *err;
	} rows[] = {
		{ { "--", "/bin/echo", "a  b", "c" }, 0, "a  b c\n", "" },
		{ { "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 3" }, 3, "out\n",
			"err\n" },
		{ { "--", "/bin/sh", "-c", "kill -9 $$" }, 137, "", "" },
		{ { "--", "/bin/sh", "-c", "kill -TERM $$" }, 143, "", "" },
		{ { "--", "/nonexistent" }, 127, "", "/nonexistent" },
		{ { "--", "/etc/passwd" }, 126, "", "/etc/passwd" },
		{ { "--cwd", "/nonexistent", "--", "/bin/true" }, 126, "", "/nonexistent" },
		{ { "--cwd", "/usr", "--user", "12:34", "--", "/bin/sh", "-c",
			  "pwd; id -u; id -g" },
			0, "/usr\n12\n34\n", "" },
		{ { "--env", "A=b c", "--env", "N=1\n2", "--", "/bin/sh", "-c", "echo \"$A$N\"" },
			0, "b c1\n2\n", "" },
		{ { "-i", "--", "/bin/cat" }, 0, "input", "" },
		{ { "--", "/bin/cat" }, 0, "", "" },
		{ { "-t", "--", "/bin/sh", "-c", "test -t 1 && echo tty" }, 0, "tty\r\n", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome outcome;

		program_run(&outcome, socket_path, rows[i].words, "input", 5);
		if (outcome.status != rows[i].status || strcmp(outcome.out, rows[i].out) != 0)
			print_error("row %zu: %d \"%s\" \"%s\"\n", i, outcome.status, outcome.out,
				outcome.err);
		assert_int_equal(outcome.status, rows[i].status);
		assert_string_equal(outcome.out, rows[i].out);
		assert_non_null(strstr(outcome.err, rows[i].err));
		outcome_free(&outcome);
	}
}

static void test_stream(void **state)
{
	char *bytes = malloc(STREAM_LEN);
	struct outcome outcome;

	for (size_t i = 0; i < STREAM_LEN; i++)
		bytes[i] = (char)((i * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
	program_run(&outcome, socket_path, (const char *const[]) { "-i", "--", "/bin/cat", NULL },
		bytes, STREAM_LEN);
	assert_int_equal(outcome.status, 0);
	assert_int_equal(outcome.out_len, STREAM_LEN);
	assert_memory_equal(outcome.out, bytes, STREAM_LEN);
	outcome_free(&outcome);
	free(bytes);
}

static void test_signal_reaches_the_command(void **state)
{
	static const char *const words[] = { "--", "/bin/sh", "-c",
		"trap 'echo got it; exit 5' USR1; echo ready; while :; do sleep 0.05; done", NULL };
	struct program program = { .fds = { -1, -1, STDERR_FILENO } };
	char text[32] = "";
	int out[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	program.fds[1] = out[1];
	program_start(&program, socket_path, words);
	close(out[1]);
	assert_int_equal(read(out[0], text, sizeof(text) - 1), 6);
	assert_int_equal(kill(program.pid, SIGUSR1), 0);
	assert_int_equal(program_wait(&program), 5);
	assert_int_equal(read(out[0], text, sizeof(text) - 1), 7);
	assert_string_equal(text, "got it\n");
	close(out[0]);
}

static void test_parallel(void **state)
{
	static const char *const words[] = { "--", "/bin/sh", "-c", "exit 4", NULL };
	struct program programs[N_PARALLEL];

	for (int i = 0; i < N_PARALLEL; i++) {
		programs[i] = (struct program) { .fds = { -1, STDOUT_FILENO, STDERR_FILENO } };
		program_start(&programs[i], socket_path, words);
	}
	for (int i = 0; i < N_PARALLEL; i++)
		assert_int_equal(program_wait(&programs[i]), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_signal_reaches_the_command),
		cmocka_unit_test(test_parallel),
	};

	return cmocka_run_group_tests(tests, start_service, stop_service);
}
