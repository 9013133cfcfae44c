/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launcher/pod/pod_lock.h"

/* Every test has a network namespace of its own: a pod. */
static int new_pod(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		fail_msg("unshare: %s (tests need root)", strerror(errno));
	return 0;
}

static struct pod_lock take(void)
{
	struct pod_lock lock;
	struct err err = { "" };

	if (pod_lock_take(&lock, &err) < 0)
		fail_msg("%s", err.text);
	return lock;
}

static void take_and_release(void)
{
	struct pod_lock lock = take();

	pod_lock_release(&lock);
}

static int try_to_take(struct err *err)
{
	struct pod_lock lock;

	return pod_lock_take(&lock, err);
}

static void test_one_at_a_time(void **state)
{
	struct err err = { "" };
	char want[256];
	struct pod_lock lock = take();

	/* As often as one likes: whoever asks is not waited for. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(try_to_take(&err), -EBUSY);
	snprintf(want, sizeof(want),
		"there is a VM in this pod already (process %d has @sluice/vm): name one "
		"container in sluice.dev/vm",
		(int)getpid());
	assert_string_equal(err.text, want);
	pod_lock_release(&lock);
	take_and_release();
}

/* Whoever looks does not take it, nor is in the way of who does. */
static void test_looked_at(void **state)
{
	char who[POD_LOCK_WHO_MAX], want[64];
	struct pod_lock lock;

	assert_false(pod_lock_is_taken(who));
	assert_false(pod_lock_is_taken(who));
	lock = take();
	snprintf(want, sizeof(want), "process %d has @sluice/vm", (int)getpid());
	assert_true(pod_lock_is_taken(who));
	assert_string_equal(who, want);
	pod_lock_release(&lock);
	assert_false(pod_lock_is_taken(who));
}

static void test_each_pod_its_own(void **state)
{
	struct pod_lock lock = take();

	new_pod(state);
	take_and_release();
	pod_lock_release(&lock);
}

static void test_is_not_passed_on(void **state)
{
	struct pod_lock lock = take();

	assert_true(fcntl(lock.alive, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(lock.kept, F_GETFD) & FD_CLOEXEC);
	pod_lock_release(&lock);
}

/* However it ends. */
static void test_ends_with_its_process(void **state)
{
	int pipes[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		(void)!write(pipes[1], try_to_take(NULL) == 0 ? "y" : "n", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(try_to_take(NULL), -EBUSY);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	take_and_release();
	close(pipes[0]);
	close(pipes[1]);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* As its keeper does: it has one of the two, and gives it up once the other end of the pipe is
 * closed. Returns its pid. */
static pid_t keep(struct pod_lock *lock, int *pipe_out)
{
	int until[2], ready[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(until, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(lock->alive);
		close(ready[1]);
		close(until[1]);
		_exit(read(until[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(until[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	*pipe_out = until[1];
	pod_lock_release(lock);
	return pid;
}

/* As the end of a line of /proc/net/unix. */
static bool is_taken(const char *name)
{
	FILE *sockets = fopen("/proc/self/net/unix", "re");
	char line[256];
	bool found = false;

	assert_non_null(sockets);
	while (fgets(line, sizeof(line), sockets) != NULL)
		found = found || (strlen(line) > strlen(name) &&
					 strcmp(line + strlen(line) - strlen(name), name) == 0);
	fclose(sockets);
	return found;
}

/* A successor has it when all is cleaned up; one that comes meanwhile is told of that one. */
static void test_waits_for_the_keeper(void **state)
{
	struct pod_lock lock = take();
	struct err err = { "" };
	int until, status;
	pid_t keeper = keep(&lock, &until), successor = fork();

	if (successor == 0) {
		close(until);
		_exit(try_to_take(NULL) != 0);
	}
	while (!is_taken("@" POD_LOCK_NAME "\n"))
		sched_yield();
	assert_int_equal(try_to_take(&err), -EBUSY);
	assert_non_null(strstr(err.text, "there is a VM in this pod already"));
	assert_int_equal(waitpid(successor, &status, WNOHANG), 0);
	close(until);
	assert_int_equal(waitpid(successor, &status, 0), successor);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(keeper, &status, 0), keeper);
	take_and_release();
}

/* Not for ever, and it is told why. */
static void test_does_not_wait_for_ever(void **state)
{
	struct pod_lock lock = take();
	double before = now();
	struct err err = { "" };
	int until, status;
	pid_t keeper = keep(&lock, &until);

	assert_int_equal(try_to_take(&err), -EBUSY);
	assert_non_null(strstr(err.text, "has ended and is still being cleaned up behind"));
	assert_true(now() - before >= POD_LOCK_WAIT_MS / 1000.0);
	/* The next finds it as it was. */
	close(until);
	assert_int_equal(waitpid(keeper, &status, 0), keeper);
	take_and_release();
}

/* Exit status: 0, if who has the lock is somebody in a PID namespace that is not ours. */
static int look_from_elsewhere(void)
{
	struct err err = { "" };
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		return 1;
	pid = fork();
	if (pid == 0)
		_exit(try_to_take(&err) != -EBUSY ||
			strstr(err.text, "(another container has @sluice/vm)") == NULL);
	return waitpid(pid, &status, 0) == pid ? status : 1;
}

/* Its process is in a namespace that we do not see. In a process of its own: who has unshared can
 * have no children, nor threads, when the first of them has ended. */
static void test_another_container(void **state)
{
	struct pod_lock lock = take();
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(look_from_elsewhere() != 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	pod_lock_release(&lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_at_a_time, new_pod),
		cmocka_unit_test_setup(test_looked_at, new_pod),
		cmocka_unit_test_setup(test_each_pod_its_own, new_pod),
		cmocka_unit_test_setup(test_is_not_passed_on, new_pod),
		cmocka_unit_test_setup(test_ends_with_its_process, new_pod),
		cmocka_unit_test_setup(test_waits_for_the_keeper, new_pod),
		cmocka_unit_test_setup(test_does_not_wait_for_ever, new_pod),
		cmocka_unit_test_setup(test_another_container, new_pod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
