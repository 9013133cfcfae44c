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
#include <unistd.h>

#include "launcher/pod/pod_lock.h"

/* Every test has a network namespace of its own: a pod. */
static int new_pod(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		fail_msg("unshare: %s (tests need root)", strerror(errno));
	return 0;
}

static int take(void)
{
	struct err err = { "" };
	int fd = pod_lock_take(&err);

	if (fd < 0)
		fail_msg("%s", err.text);
	return fd;
}

static void test_one_at_a_time(void **state)
{
	struct err err = { "" };
	char want[256];
	int fd = take();

	/* As often as one likes: whoever asks is not waited for. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(pod_lock_take(&err), -EBUSY);
	snprintf(want, sizeof(want),
		"there is a VM in this pod already (process %d has @sluice/vm): name one "
		"container in sluice.dev/vm",
		(int)getpid());
	assert_string_equal(err.text, want);
	close(fd);
	close(take());
}

/* Whoever looks does not take it, nor is in the way of who does. */
static void test_looked_at(void **state)
{
	char who[POD_LOCK_WHO_MAX], want[64];
	int fd;

	assert_false(pod_lock_is_taken(who));
	assert_false(pod_lock_is_taken(who));
	fd = take();
	snprintf(want, sizeof(want), "process %d has @sluice/vm", (int)getpid());
	assert_true(pod_lock_is_taken(who));
	assert_string_equal(who, want);
	close(fd);
	assert_false(pod_lock_is_taken(who));
}

static void test_each_pod_its_own(void **state)
{
	int fd = take();

	new_pod(state);
	close(take());
	close(fd);
}

static void test_is_not_passed_on(void **state)
{
	int fd = take();

	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
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
		(void)!write(pipes[1], pod_lock_take(NULL) >= 0 ? "y" : "n", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(pod_lock_take(NULL), -EBUSY);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(take());
	close(pipes[0]);
	close(pipes[1]);
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
		_exit(pod_lock_take(&err) != -EBUSY ||
			strstr(err.text, "(another container has @sluice/vm)") == NULL);
	return waitpid(pid, &status, 0) == pid ? status : 1;
}

/* Its process is in a namespace that we do not see. In a process of its own: who has unshared can
 * have no children, nor threads, when the first of them has ended. */
static void test_another_container(void **state)
{
	int fd = take(), status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(look_from_elsewhere() != 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_at_a_time, new_pod),
		cmocka_unit_test_setup(test_looked_at, new_pod),
		cmocka_unit_test_setup(test_each_pod_its_own, new_pod),
		cmocka_unit_test_setup(test_is_not_passed_on, new_pod),
		cmocka_unit_test_setup(test_ends_with_its_process, new_pod),
		cmocka_unit_test_setup(test_another_container, new_pod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
