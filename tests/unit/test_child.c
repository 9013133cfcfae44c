/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/process/capability.h"
#include "launcher/process/child.h"

#define PATIENCE_MS 30000

/* Children are shells: what they print shows what they were given. */

struct run {
	struct event_base *loop;
	struct child *child;
	bool ended;
	bool kill_in_callback;
	int status;
	int out[2];
	char text[4096];
};

static void on_ended(void *owner, struct child *child, int status)
{
	struct run *run = owner;

	assert_ptr_equal(child, run->child);
	assert_false(run->ended);
	run->ended = true;
	run->status = status;
	if (run->kill_in_callback) {
		child_kill(run->child);
		run->child = NULL;
	}
	event_base_loopbreak(run->loop);
}

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	run->loop = event_base_new();
	assert_int_equal(pipe2(run->out, O_CLOEXEC), 0);
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	child_kill(run->child);
	event_base_free(run->loop);
	close(run->out[0]);
	close(run->out[1]);
	free(run);
	return 0;
}

static struct child_plan plan_for(struct run *run, char *const *argv)
{
	return (struct child_plan) {
		.name = "shell",
		.program = "sh",
		.argv = argv,
		.in = -1,
		.out = run->out[1],
		.err = -1,
		.ended = on_ended,
		.owner = run,
	};
}

static void start(struct run *run, const struct child_plan *plan)
{
	struct err err = { "" };

	if (child_start(run->loop, plan, &run->child, &err) < 0)
		fail_msg("%s", err.text);
}

static void read_all(struct run *run)
{
	ssize_t n;

	assert_true(fcntl(run->out[0], F_SETFL, O_NONBLOCK) == 0);
	n = read(run->out[0], run->text, sizeof(run->text) - 1);
	run->text[n > 0 ? n : 0] = '\0';
}

/* Runs it to its end: what it printed is in run->text. */
static void run_plan(struct run *run, const struct child_plan *plan)
{
	start(run, plan);
	assert_int_equal(event_base_dispatch(run->loop), 0);
	assert_true(run->ended);
	read_all(run);
}

static void run_script(struct run *run, const char *script)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	struct child_plan plan = plan_for(run, argv);

	run_plan(run, &plan);
}

/* Waits until the child has printed a first line. */
static long first_number(struct run *run)
{
	char line[32];
	ssize_t n = read(run->out[0], line, sizeof(line) - 1);

	assert_true(n > 0);
	line[n] = '\0';
	return strtol(line, NULL, 10);
}

/* Who was killed may take a while to be gone. */
static bool comes_to_an_end(pid_t leader)
{
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		(void)waitpid(-leader, NULL, WNOHANG);
		if (kill(-leader, 0) < 0 && errno == ESRCH)
			return true;
		usleep(1000);
	}
	return false;
}

static void test_tells_how_it_ended(void **state)
{
	struct run *run = *state;
	char text[64];

	run_script(run, "echo hello; exit 7");
	assert_string_equal(run->text, "hello\n");
	assert_string_equal(child_describe_status(run->status, text), "exit status 7");
	assert_int_equal(child_signal(run->child, SIGTERM), -ESRCH);
	assert_string_equal(child_name(run->child), "shell");
}

static void test_tells_which_signal(void **state)
{
	struct run *run = *state;
	char text[64];

	run_script(run, "ulimit -c 0; kill -SEGV $$");
	assert_true(WIFSIGNALED(run->status));
	assert_string_equal(child_describe_status(run->status, text), "killed by SIGSEGV");
	assert_string_equal(
		child_describe_status(SIGABRT | 0x80, text), "killed by SIGABRT (core dumped)");
}

static void test_freed_in_callback(void **state)
{
	struct run *run = *state;

	run->kill_in_callback = true;
	run_script(run, "exit 0");
	assert_null(run->child);
}

static void test_program_is_missing(void **state)
{
	struct run *run = *state;
	char *argv[] = { (char *)"x", NULL };
	struct child_plan plan = plan_for(run, argv);
	struct err err = { "" };

	plan.program = "no-such-program";
	assert_int_equal(child_start(run->loop, &plan, &run->child, &err), -ENOENT);
	assert_string_equal(err.text, "cannot start shell: cannot find no-such-program in PATH: No "
				      "such file or directory");
	plan.program = "/etc/passwd";
	assert_int_equal(child_start(run->loop, &plan, &run->child, &err), -EACCES);
	plan.program = "/etc";
	assert_int_equal(child_start(run->loop, &plan, &run->child, &err), -EACCES);
}

/* It is there and has the bit, but the kernel does not execute it: told at once, nothing is left.
 */
static void test_program_is_none(void **state)
{
	struct run *run = *state;
	char path[] = "/tmp/test_child.XXXXXX";
	char *argv[] = { (char *)"x", NULL };
	struct child_plan plan = plan_for(run, argv);
	struct err err = { "" };
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\177ELFnot", 7), 7);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	plan.program = path;
	assert_int_equal(child_start(run->loop, &plan, &run->child, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "Exec format error"));
	unlink(path);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void test_inherits_only_what_is_named(void **state)
{
	struct run *run = *state;
	char *argv[] = { (char *)"sh", (char *)"-c",
		(char *)"for fd in $(seq 0 99); do [ ! -e /proc/$$/fd/$fd ] || echo $fd; done; "
			"readlink /proc/$$/fd/0",
		NULL };
	struct child_plan plan = plan_for(run, argv);
	char expected[64];
	/* Not close-on-exec, and not named. */
	int stray = open("/dev/zero", O_RDONLY);
	int named = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	plan.fds[plan.n_fds++] = named;
	run_plan(run, &plan);
	snprintf(expected, sizeof(expected), "0\n1\n2\n%d\n/dev/null\n", named);
	assert_string_equal(run->text, expected);
	assert_int_equal(fcntl(named, F_GETFD), FD_CLOEXEC);
	close(stray);
	close(named);
}

static void test_refuses_descriptors(void **state)
{
	struct run *run = *state;
	char *argv[] = { (char *)"sh", NULL };
	struct child_plan plan = plan_for(run, argv);
	struct err err = { "" };

	plan.fds[plan.n_fds++] = 1;
	assert_int_equal(child_start(run->loop, &plan, &run->child, &err), -EINVAL);
	plan.fds[0] = 999; /* there is none of that number */
	assert_int_equal(child_start(run->loop, &plan, &run->child, &err), -EBADF);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

/* Our own signal mask and ignored signals are not its. */
static void test_signals_are_default(void **state)
{
	struct run *run = *state;
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &before);
	signal(SIGPIPE, SIG_IGN);
	run_script(run, "exec cat /proc/self/status");
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
	assert_non_null(strstr(run->text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
					  "SigCgt:\t0000000000000000\n"));
}

static void test_descriptor_limit(void **state)
{
	struct run *run = *state;
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"ulimit -n", NULL };
	struct child_plan plan = plan_for(run, argv);
	struct rlimit limit;
	char expected[32];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	plan.nofile = ~0UL >> 1;
	run_plan(run, &plan);
	snprintf(expected, sizeof(expected), "%llu\n", (unsigned long long)limit.rlim_max);
	assert_string_equal(run->text, expected);
}

/* Nor does what it starts leave it. */
static void test_stays_on_one_cpu(void **state)
{
	struct run *run = *state;
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"nproc", NULL };
	struct child_plan plan = plan_for(run, argv);

	plan.one_cpu = true;
	run_plan(run, &plan);
	assert_string_equal(run->text, "1\n");
}

static void expect_capabilities(struct run *run, uint64_t given, uint64_t expected)
{
	char *argv[] = { (char *)"sh", (char *)"-c",
		(char *)"sh -c \"grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs)' "
			"/proc/self/status\"",
		NULL };
	struct child_plan plan = plan_for(run, argv);
	char text[256];

	plan.capabilities = given;
	run_plan(run, &plan);
	snprintf(text, sizeof(text),
		"CapInh:\t%016x\nCapPrm:\t%016" PRIx64 "\nCapEff:\t%016" PRIx64
		"\nCapBnd:\t%016" PRIx64 "\nCapAmb:\t%016x\nNoNewPrivs:\t1\n",
		0, expected, expected, expected, 0);
	assert_string_equal(run->text, text);
}

/* Nor does what it executes get any by being root. */
static void test_no_capabilities(void **state)
{
	expect_capabilities(*state, 0, 0);
}

/* What it is given and we do not have it has not either. */
static void test_some_capabilities(void **state)
{
	const uint64_t some = CAPABILITY(CAP_NET_RAW) | CAPABILITY(CAP_CHOWN);

	assert_true(capability_held(CAP_NET_RAW));
	expect_capabilities(*state, some | UINT64_C(1) << 63, some);
}

static void test_leads_a_group(void **state)
{
	struct run *run = *state;

	run_script(run, "ps -o pgid= -p $$");
	assert_int_equal(strtol(run->text, NULL, 10), child_pid(run->child));
	assert_int_not_equal(child_pid(run->child), getpgrp());
}

/* What it started, and left behind, ends with it. */
static void test_helpers_end_with_it(void **state)
{
	struct run *run = *state;
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"sleep 1000 & echo $!", NULL };
	struct child_plan plan = plan_for(run, argv);
	long helper;

	run_plan(run, &plan);
	helper = strtol(run->text, NULL, 10);
	assert_true(helper > 1);
	assert_true(comes_to_an_end(child_pid(run->child)));
	assert_true(kill((pid_t)helper, 0) < 0 && errno == ESRCH);
}

static void test_kill(void **state)
{
	struct run *run = *state;
	char *argv[] = { (char *)"sh", (char *)"-c",
		(char *)"trap '' TERM; sleep 1000 & echo $!; wait", NULL };
	struct child_plan plan = plan_for(run, argv);
	pid_t leader;

	start(run, &plan);
	leader = child_pid(run->child);
	assert_true(first_number(run) > 1);
	assert_int_equal(child_signal(run->child, SIGTERM), 0);
	child_kill(run->child);
	run->child = NULL;
	assert_false(run->ended);
	assert_true(comes_to_an_end(leader));
	child_kill(NULL);
}

static void test_signal_reaches_it(void **state)
{
	struct run *run = *state;
	char *argv[] = { (char *)"sh", (char *)"-c",
		(char *)"trap 'exit 3' USR1; echo 1; while :; do sleep 0.01; done", NULL };
	struct child_plan plan = plan_for(run, argv);

	start(run, &plan);
	first_number(run);
	assert_int_equal(child_signal(run->child, SIGUSR1), 0);
	event_base_dispatch(run->loop);
	assert_true(run->ended && WIFEXITED(run->status));
	assert_int_equal(WEXITSTATUS(run->status), 3);
}

static void test_environment(void **state)
{
	struct run *run = *state;
	char *argv[] = { (char *)"env", NULL };
	char *env[] = { (char *)"ONE=1", NULL };
	struct child_plan plan = plan_for(run, argv);

	plan.program = "env";
	plan.env = env;
	run_plan(run, &plan);
	assert_string_equal(run->text, "ONE=1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CHILD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CHILD_TEST(test_tells_how_it_ended),
		CHILD_TEST(test_tells_which_signal),
		CHILD_TEST(test_freed_in_callback),
		CHILD_TEST(test_program_is_missing),
		CHILD_TEST(test_program_is_none),
		CHILD_TEST(test_inherits_only_what_is_named),
		CHILD_TEST(test_refuses_descriptors),
		CHILD_TEST(test_signals_are_default),
		CHILD_TEST(test_descriptor_limit),
		CHILD_TEST(test_stays_on_one_cpu),
		CHILD_TEST(test_no_capabilities),
		CHILD_TEST(test_some_capabilities),
		CHILD_TEST(test_leads_a_group),
		CHILD_TEST(test_helpers_end_with_it),
		CHILD_TEST(test_kill),
		CHILD_TEST(test_signal_reaches_it),
		CHILD_TEST(test_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
