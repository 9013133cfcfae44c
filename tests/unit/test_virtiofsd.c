/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * How virtiofsd is found and told what to do. The one that is installed is QEMU's; for the other
 * there is a program that says what it was told, with the help of the real one (virtiofsd 1.10).
 * That QEMU's does its work is seen by guests, in the suite vm.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "launcher/storage/virtiofsd.h"
#include "tests/unit/scratch.h"

/* Says what it gets, which files its descriptors are, and how many it may have. */
static const char *const tells = "echo \"$@\"\n"
				 "for word in \"$@\"; do case $word in\n"
				 "*=/proc/self/fd/*) cd \"${word#*=}\" && ls;;\n"
				 "--fd=*) test -S /proc/self/fd/${word#--fd=} && echo socket;;\n"
				 "esac; done\n"
				 "ulimit -n\n";

static struct event_base *loop;

static void on_ended(void *owner, struct child *child, int status)
{
	*(int *)owner = status;
	event_base_loopbreak(loop);
}

/* A virtiofsd whose --help says this. */
static const char *make_program(void **state, const char *help)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"#!/bin/sh\nif [ \"$1\" = --help ]; then echo '%s'; exit; fi\n%s", help, tells);
	scratch_write(state, "virtiofsd", text, 0755);
	return scratch_path(state, "virtiofsd");
}

static int start(void **state, const char *program, int *status, struct err *err)
{
	const struct share_plan shares = { .ready = scratch_path(state, "share") };
	struct virtiofsd_plan plan = {
		.program = program,
		.cache = VIRTIOFSD_CACHE_ALWAYS,
		.ended = on_ended,
		.owner = status,
	};
	struct share *share;
	struct child *child = NULL;
	int ret;

	assert_int_equal(mkdir(scratch_path(state, "share"), 0755), 0);
	scratch_write(state, "share/its-file", "", 0644);
	assert_int_equal(share_open(&shares, &share, err), 0);
	plan.share = share;
	plan.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	plan.log = open(scratch_path(state, "log"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	loop = event_base_new();
	ret = virtiofsd_start(loop, &plan, &child, err);
	if (ret == 0)
		event_base_dispatch(loop);
	child_kill(child);
	event_base_free(loop);
	close(plan.log);
	close(plan.listen_fd);
	share_close(share);
	return ret;
}

/* Starts the program, and looks for each of the words in what it said. */
static void expect_told(void **state, const char *help, const char *const *words)
{
	char *said, command[PATH_MAX];
	struct err err = { "" };
	struct rlimit limit;
	int status = -1, ret;

	assert_int_equal(start(state, make_program(state, help), &status, &err), 0);
	assert_int_equal(status, 0);
	snprintf(command, sizeof(command), "cat %s", scratch_path(state, "log"));
	said = scratch_shell(command, &ret);
	for (; *words != NULL; words++)
		if (strstr(said, *words) == NULL)
			fail_msg("not told %s: %s", *words, said);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max != RLIM_INFINITY)
		assert_int_equal(
			atol(strrchr(strndupa(said, strlen(said) - 1), '\n') + 1), limit.rlim_max);
	free(said);
}

static void test_tells_the_one_in_c(void **state)
{
	static const char *const words[] = { "-f --fd=", "--rlimit-nofile=0 ",
		"-o source=/proc/self/fd/", "-o cache=always ", "-o sandbox=chroot ",
		"-o modcaps=-mknod ", "-o xattr ", "-o announce_submounts\n", "\nits-file\n",
		"\nsocket\n", NULL };

	expect_told(state, "    -o source=PATH             shared directory tree", words);
}

static void test_tells_the_one_in_rust(void **state)
{
	static const char *const words[] = { "--fd=", "--rlimit-nofile=0 ",
		"--shared-dir=/proc/self/fd/", "--cache=always ", "--sandbox=chroot ",
		"--modcaps=-mknod ", "--xattr ", "--announce-submounts\n", "\nits-file\n",
		"\nsocket\n", NULL };

	expect_told(
		state, "      --shared-dir <SHARED_DIR>\n          Shared directory path", words);
}

static void test_refuses_another_program(void **state)
{
	struct err err = { "" };
	int status;

	assert_int_equal(
		start(state, make_program(state, "usage: another"), &status, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "is no virtiofsd"));
}

static void test_finds_it(void **state)
{
	char path[PATH_MAX];
	struct err err = { "" };

	assert_int_equal(virtiofsd_find(NULL, path, &err), 0);
	assert_int_equal(access(path, X_OK), 0);
	assert_int_equal(virtiofsd_find("/no/such/virtiofsd", path, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/no/such/virtiofsd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_tells_the_one_in_c, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			test_tells_the_one_in_rust, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			test_refuses_another_program, scratch_open, scratch_close),
		cmocka_unit_test(test_finds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
