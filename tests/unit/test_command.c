/* SPDX-License-Identifier: BSD-3-Clause */

/* Programs that are run to their end: what they say, how they end, and those that do not. */

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "launcher/process/command.h"

#define SHELL(script) ((char *const[]) { (char *)"sh", (char *)"-c", (char *)(script), NULL })

static int run(const char *script, unsigned timeout_s, char *text, size_t size, int *status,
	struct err *err)
{
	const struct command command = {
		.argv = SHELL(script), .timeout_s = timeout_s, .out = -1, .fd = -1
	};

	return command_run(&command, text, size, status, err);
}

static void test_output_and_status(void **state)
{
	char text[64];
	struct err err = { "" };
	int status;

	assert_int_equal(run("echo one; echo two >&2; exit 3", 0, text, 64, &status, &err), 0);
	assert_string_equal(text, "one\ntwo\n");
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(run("kill -9 $$", 0, text, 64, &status, &err), 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_string_equal(text, "");
}

/* More than there is room for does not make it wait. */
static void test_cuts_long_output(void **state)
{
	char text[10];
	struct err err = { "" };
	int status;

	assert_int_equal(
		run("head -c 300000 /dev/zero | tr '\\0' x", 0, text, sizeof(text), &status, &err),
		0);
	assert_string_equal(text, "xxxxxxxxx");
	assert_int_equal(status, 0);
}

/* Nor does one who keeps its output open when it has ended. */
static void test_does_not_wait_for_grandchildren(void **state)
{
	char text[64];
	struct err err = { "" };
	int status;

	alarm(60); /* it waits in vain for 100 s */
	assert_int_equal(run("echo said; sleep 100 &", 0, text, 64, &status, &err), 0);
	assert_string_equal(text, "said\n");
	alarm(0);
}

static void test_stdout_apart(void **state)
{
	char text[64], out[8] = "";
	struct command command = { .argv = SHELL("echo one; echo two >&2"), .fd = -1 };
	struct err err = { "" };
	int pair[2];

	assert_int_equal(pipe(pair), 0);
	command.out = pair[1];
	assert_int_equal(command_must(&command, text, sizeof(text), &err), 0);
	assert_string_equal(text, "two\n");
	assert_int_equal(read(pair[0], out, sizeof(out)), 4);
	assert_string_equal(out, "one\n");
	close(pair[0]);
	close(pair[1]);
}

static void test_ends_the_late(void **state)
{
	char text[64];
	struct err err = { "" };
	int status;

	assert_int_equal(run("exec sleep 100", 1, text, 64, &status, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "within 1 s"));
}

static void test_names_the_missing(void **state)
{
	char *const argv[] = { (char *)"no-such-program", NULL };
	const struct command command = { .argv = argv, .out = -1, .fd = -1 };
	char text[64];
	struct err err = { "" };
	int status;

	assert_int_equal(command_run(&command, text, sizeof(text), &status, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no-such-program"));
}

static void test_failure_says_the_last_line(void **state)
{
	const struct command command = {
		.argv = SHELL("echo first >&2; echo 'what was wrong' >&2; exit 4"),
		.out = -1,
		.fd = -1,
	};
	char text[64];
	struct err err = { "" };

	assert_int_equal(command_must(&command, text, sizeof(text), &err), -EIO);
	assert_string_equal(err.text, "sh: exit status 4: what was wrong");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_and_status),
		cmocka_unit_test(test_cuts_long_output),
		cmocka_unit_test(test_does_not_wait_for_grandchildren),
		cmocka_unit_test(test_stdout_apart),
		cmocka_unit_test(test_ends_the_late),
		cmocka_unit_test(test_names_the_missing),
		cmocka_unit_test(test_failure_says_the_last_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
