/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/process/child.h"
#include "launcher/process/loop.h"
#include "launcher/process/orphans.h"

#define N_ORPHANS   20
#define PATIENCE_MS 30000

static struct event_base *loop;
static struct orphans *orphans;

static int setup(void **state)
{
	loop = event_base_new();
	orphans = orphans_start(loop);
	return loop != NULL && orphans != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	orphans_stop(orphans);
	event_base_free(loop);
	return 0;
}

/* Processes whose parent has ended: they become ours. */
static void make_orphans(unsigned n, const char *script)
{
	int status;
	pid_t pid;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid = fork();
	for (unsigned i = 0; pid == 0 && i < n; i++)
		if (fork() == 0) {
			execl("/bin/sh", "sh", "-c", script, NULL);
			_exit(127);
		}
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static bool has_none(const void *arg)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static void test_waits_for_all(void **state)
{
	make_orphans(N_ORPHANS, "sleep 0.1");
	assert_false(has_none(NULL));
	assert_int_equal(loop_until(loop, PATIENCE_MS, has_none, NULL), 0);
}

/* --- with children --------------------------------------------------------------------------- */

struct run {
	struct child *child;
	bool ended;
	int status;
};

static void on_ended(void *owner, struct child *child, int status)
{
	struct run *run = owner;

	run->ended = true;
	run->status = status;
}

static void start(struct run *run, const char *script)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	const struct child_plan plan = { .name = "shell",
		.program = "sh",
		.argv = argv,
		.in = -1,
		.out = -1,
		.err = -1,
		.ended = on_ended,
		.owner = run };

	assert_int_equal(child_start(loop, &plan, &run->child, NULL), 0);
}

static bool all_ended(const void *arg)
{
	const struct run *runs = arg;

	return runs[0].ended && runs[1].ended;
}

/* Whose end is another's to wait for, with its status; in a crowd. */
static void test_leaves_children_alone(void **state)
{
	struct run runs[2] = { { 0 } };

	make_orphans(N_ORPHANS, "sleep 0.05");
	start(&runs[0], "exit 7");
	start(&runs[1], "sleep 0.05; exit 8");
	assert_true(child_is_ours(child_pid(runs[0].child)));
	make_orphans(N_ORPHANS, "sleep 0.06");
	assert_int_equal(loop_until(loop, PATIENCE_MS, all_ended, runs), 0);
	assert_int_equal(WEXITSTATUS(runs[0].status), 7);
	assert_int_equal(WEXITSTATUS(runs[1].status), 8);
	assert_false(child_is_ours(child_pid(runs[0].child)));
	assert_int_equal(loop_until(loop, PATIENCE_MS, has_none, NULL), 0);
	child_kill(runs[0].child);
	child_kill(runs[1].child);
}

/* One that has left its parent's group, which is killed without it. */
static void test_a_childs_child(void **state)
{
	struct run runs[2] = { { .ended = false }, { .ended = true } };

	start(&runs[0], "setsid sleep 0.2 & exit 0");
	assert_int_equal(loop_until(loop, PATIENCE_MS, all_ended, runs), 0);
	assert_int_equal(loop_until(loop, PATIENCE_MS, has_none, NULL), 0);
	child_kill(runs[0].child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_waits_for_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leaves_children_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_childs_child, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
