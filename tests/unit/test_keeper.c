/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/pod/tap_link.h"
#include "launcher/process/child.h"
#include "launcher/process/keeper.h"
#include "launcher/process/remove_link.h"
#include "launcher/process/remove_tree.h"
#include "lib/cleanup.h"
#include "lib/unix_socket.h"

/*
 * A launcher that is killed where it stands, with a child whose helpers outlive it as UML's do. The
 * test is a subreaper: whatever the launcher leaves behind becomes its child, and it can tell that
 * nothing is left by having nothing to wait for.
 */

#define N_ATTEMPTS 5
#define HELPERS    "sleep 1000 & sleep 1000 & sleep 1000 & echo ready; wait"

struct launcher {
	pid_t pid;
	pid_t leader;
	char dir[64];
};

static void never_ended(void *owner, struct child *child, int status)
{
	fail_msg("a child ended");
}

static struct child *start_helpers(struct event_base *loop, struct keeper *keeper)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)HELPERS, NULL };
	struct child_plan plan = { .name = "leader",
		.program = "sh",
		.argv = argv,
		.in = -1,
		.err = -1,
		.keeper = keeper,
		.ended = never_ended };
	struct child *child = NULL;
	char line[16];
	int out[2];

	if (pipe2(out, O_CLOEXEC) < 0)
		return NULL;
	plan.out = out[1];
	if (child_start(loop, &plan, &child, NULL) == 0 && read(out[0], line, sizeof(line)) <= 0)
		child = NULL;
	close(out[0]);
	close(out[1]);
	return child;
}

/* What sluice-vm does, up to the point where it is killed; tells the leader's pid. */
static void be_launcher(const char *dir, bool kept, int report)
{
	struct event_base *loop = event_base_new();
	struct keeper *keeper = NULL;
	struct child *child;
	pid_t leader;

	prctl(PR_SET_CHILD_SUBREAPER, 0);
	if (kept && (keeper_start(&keeper, NULL) < 0 || keeper_add_path(keeper, dir, NULL) < 0))
		return;
	child = start_helpers(loop, keeper);
	if (child == NULL)
		return;
	leader = child_pid(child);
	if (write(report, &leader, sizeof(leader)) == sizeof(leader))
		for (;;)
			pause();
}

static void start_launcher(struct launcher *launcher, bool kept)
{
	int report[2];

	strcpy(launcher->dir, "/tmp/test_keeper.XXXXXX");
	assert_non_null(mkdtemp(launcher->dir));
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	launcher->pid = fork();
	if (launcher->pid == 0) {
		be_launcher(launcher->dir, kept, report[1]);
		_exit(1);
	}
	close(report[1]);
	assert_int_equal(read(report[0], &launcher->leader, sizeof(launcher->leader)),
		sizeof(launcher->leader));
	close(report[0]);
}

static void kill_launcher(struct launcher *launcher)
{
	kill(launcher->pid, SIGKILL);
	assert_int_equal(waitpid(launcher->pid, NULL, 0), launcher->pid);
}

/* Waits for all that became ours: false if something still runs after half a minute. */
static bool nothing_runs(void)
{
	for (int ms = 0; ms < 30000; ms++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return true;
		if (pid == 0)
			usleep(1000);
	}
	return false;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void make_file(const char *dir, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void make_dir(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void test_nothing_is_left(void **state)
{
	struct launcher launcher;

	for (int i = 0; i < 20; i++) {
		start_launcher(&launcher, true);
		make_dir(launcher.dir, "sockets");
		make_file(launcher.dir, "sockets/qmp");
		kill_launcher(&launcher);
		assert_true(nothing_runs());
		assert_false(exists(launcher.dir));
	}
}

/* Nor does anybody who waits for a lock of the launcher's come too early. */
static void test_locks_are_held_until_then(void **state)
{
	char dir[] = "/tmp/test_keeper.XXXXXX";
	cleanup_close int ours = -1;
	struct keeper *keeper = NULL;
	struct err err = { "" };
	int fd;
	pid_t pid;

	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		make_file(dir, name);
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ours = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0 && ours >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	pid = fork();
	if (pid == 0) {
		if (keeper_start(&keeper, NULL) == 0 && keeper_hold(keeper, fd, NULL) == 0 &&
			keeper_add_path(keeper, dir, NULL) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	close(fd);
	assert_int_equal(flock(ours, LOCK_EX), 0);
	assert_false(exists(dir));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(nothing_runs());
	/* After an orderly end too. */
	assert_int_equal(keeper_start(&keeper, &err), 0);
	fd = dup(ours);
	assert_int_equal(keeper_hold(keeper, fd, &err), 0);
	close(fd);
	keeper_end(keeper);
}

/* That test_nothing_is_left can fail: the leader ends by its parent-death signal, its helpers do
 * not. */
static void test_without_keeper(void **state)
{
	struct launcher launcher;

	start_launcher(&launcher, false);
	kill_launcher(&launcher);
	assert_int_equal(waitpid(launcher.leader, NULL, 0), launcher.leader);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
	assert_int_equal(kill(-launcher.leader, SIGKILL), 0);
	assert_true(nothing_runs());
	assert_true(exists(launcher.dir));
	assert_int_equal(remove_tree(launcher.dir), 0);
}

static void test_orderly_end(void **state)
{
	struct event_base *loop = event_base_new();
	struct keeper *keeper = NULL;
	struct err err = { "" };
	struct child *child;
	char dir[] = "/tmp/test_keeper.XXXXXX";

	assert_non_null(mkdtemp(dir));
	assert_int_equal(keeper_start(&keeper, &err), 0);
	assert_int_equal(keeper_add_path(keeper, dir, &err), 0);
	child = start_helpers(loop, NULL);
	assert_non_null(child);
	assert_int_equal(keeper_add_group(keeper, child_pid(child)), 0);
	keeper_end(keeper);
	/* Nothing was killed, nor removed. */
	assert_int_equal(child_signal(child, 0), 0);
	assert_true(exists(dir));
	child_kill(child);
	event_base_free(loop);
	rmdir(dir);
	keeper_end(NULL);
	assert_true(nothing_runs());
}

/* The number of a group that was dropped may be anybody's: it is not signalled. */
static void test_dropped_group_lives(void **state)
{
	struct event_base *loop = event_base_new();
	struct child *child = start_helpers(loop, NULL);
	pid_t launcher = fork();

	assert_non_null(child);
	if (launcher == 0) {
		struct keeper *keeper = NULL;

		if (keeper_start(&keeper, NULL) == 0 &&
			keeper_add_group(keeper, child_pid(child)) == 0)
			keeper_drop_group(keeper, child_pid(child));
		_exit(0);
	}
	waitpid(launcher, NULL, 0);
	/* The keeper itself. */
	assert_true(waitpid(-1, NULL, 0) > 0);
	assert_int_equal(child_signal(child, 0), 0);
	child_kill(child);
	event_base_free(loop);
	assert_true(nothing_runs());
}

/* A group whose leader was waited for, by whoever, long before the launcher ends. */
static void test_group_without_leader(void **state)
{
	struct launcher launcher;

	start_launcher(&launcher, true);
	kill(launcher.pid, SIGSTOP); /* so that it does not notice */
	kill(launcher.leader, SIGKILL);
	kill_launcher(&launcher);
	assert_true(nothing_runs());
	assert_false(exists(launcher.dir));
}

/* A launcher that ends at once, with a request; in an orderly way or not. */
static void leave_request(const char *path, bool orderly)
{
	pid_t launcher = fork();

	if (launcher == 0) {
		struct keeper *keeper = NULL;

		prctl(PR_SET_CHILD_SUBREAPER, 0);
		if (keeper_start(&keeper, NULL) < 0 ||
			keeper_add_request(keeper, path, "remove it\n", NULL) < 0)
			_exit(1);
		if (orderly)
			keeper_end(keeper);
		_exit(0);
	}
	waitpid(launcher, NULL, 0);
}

/* Takes the request, and answers it. Whether the keeper was still waiting for that: it does so for
 * a time that a machine which stops may take away. */
static bool waits_for_answer(int listener)
{
	char line[32] = "";
	int client = accept(listener, NULL, NULL);
	bool waits;

	assert_int_equal(recv(client, line, 10, MSG_WAITALL), 10);
	assert_string_equal(line, "remove it\n");
	waits = waitpid(-1, NULL, WNOHANG) == 0;
	(void)!send(client, "{}\n", 3, MSG_NOSIGNAL);
	assert_true(nothing_runs());
	close(client);
	return waits;
}

static void test_request(void **state)
{
	char path[] = "/tmp/test_keeper.XXXXXX";
	bool waits = false;
	int listener;

	close(mkstemp(path));
	unlink(path);
	listener = unix_listen(path, 0600, NULL);
	assert_true(listener >= 0);
	leave_request(path, true);
	assert_true(nothing_runs());
	assert_true(accept(listener, NULL, NULL) < 0 && errno == EAGAIN);

	assert_int_equal(fcntl(listener, F_SETFL, 0), 0);
	for (int i = 0; i < N_ATTEMPTS && !waits; i++) {
		leave_request(path, false);
		waits = waits_for_answer(listener);
	}
	assert_true(waits);
	close(listener);
	/* Nobody is there any more: it goes as well. */
	leave_request(path, false);
	assert_true(nothing_runs());
	unlink(path);
	leave_request(path, false);
	assert_true(nothing_runs());
}

static void test_too_many(void **state)
{
	struct keeper *keeper = NULL;
	struct err err = { "" };

	assert_int_equal(keeper_start(&keeper, &err), 0);
	for (int i = 0; i < KEEPER_GROUPS_MAX; i++)
		assert_int_equal(keeper_add_group(keeper, getpid()), 0);
	assert_int_equal(keeper_add_group(keeper, getpid()), -ENOSPC);
	keeper_drop_group(keeper, getpid());
	assert_int_equal(keeper_add_group(keeper, getpid()), 0);
	for (int i = 0; i < KEEPER_PATHS_MAX; i++)
		assert_int_equal(keeper_add_path(keeper, "/tmp/none", &err), 0);
	assert_int_equal(keeper_add_path(keeper, "/tmp/none", &err), -ENOSPC);
	assert_int_equal(keeper_add_path(keeper, "relative", &err), -EINVAL);
	assert_string_equal(err.text, "cannot tell the keeper of relative: Invalid argument");
	for (int i = 0; i < KEEPER_HOLDS_MAX; i++)
		assert_int_equal(keeper_hold(keeper, STDIN_FILENO, &err), 0);
	assert_int_equal(keeper_hold(keeper, STDIN_FILENO, &err), -ENOSPC);
	for (int i = 0; i < KEEPER_REQUESTS_MAX; i++)
		assert_int_equal(keeper_add_request(keeper, "/tmp/none", "x", &err), 0);
	assert_int_equal(keeper_add_request(keeper, "/tmp/none", "x", &err), -ENOSPC);
	keeper_end(keeper);
}

/* It holds no descriptor of ours: a reader sees the end when we close, not when the keeper ends. */
static void test_holds_nothing(void **state)
{
	struct keeper *keeper = NULL;
	char byte;
	int out[2];

	assert_int_equal(pipe(out), 0);
	assert_int_equal(keeper_start(&keeper, NULL), 0);
	close(out[1]);
	assert_int_equal(read(out[0], &byte, 1), 0);
	close(out[0]);
	keeper_end(keeper);
}

/* In a network of its own: a TAP that the keeper knows of, and one that it does not. */
static void be_tap_maker(int report)
{
	struct keeper *keeper = NULL;
	int kept, other;

	prctl(PR_SET_CHILD_SUBREAPER, 0);
	if (keeper_start(&keeper, NULL) < 0)
		return;
	kept = tap_link_open("kept", 1400, NULL);
	other = tap_link_open("other", 1500, NULL);
	if (kept < 0 || other < 0 || keeper_add_link(keeper, "kept", NULL) < 0 ||
		tap_link_keep(kept, NULL) < 0 || tap_link_keep(other, NULL) < 0)
		return;
	/* Somebody else has it open now. */
	close(kept);
	kept = tap_link_open("kept", 1400, NULL);
	if (kept >= 0 && tap_link_keep(kept, NULL) == 0 && write(report, "", 1) == 1)
		for (;;)
			pause();
}

static void test_links(void **state)
{
	struct err err = { "" };
	int report[2];
	char byte;
	pid_t pid;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		be_tap_maker(report[1]);
		_exit(1);
	}
	close(report[1]);
	assert_int_equal(read(report[0], &byte, 1), 1);
	close(report[0]);
	assert_int_equal(tap_link_open("kept", 1400, &err), -EBUSY);
	assert_string_equal(err.text, "TAP kept: there is one that another VM uses");
	assert_int_equal(tap_link_open("lo", 1400, &err), -EEXIST);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(nothing_runs());
	assert_int_equal(if_nametoindex("kept"), 0);
	assert_int_not_equal(if_nametoindex("other"), 0);
	assert_int_equal(remove_link("other"), 0);
	assert_int_equal(if_nametoindex("other"), 0);
	assert_int_equal(remove_link("other"), 0);
	assert_int_equal(remove_link(""), -EINVAL);
	assert_int_equal(remove_link("sixteen-letters-"), -EINVAL);
}

static void test_tap_names(void **state)
{
	char name[IF_NAMESIZE];

	tap_link_name("vm0", name);
	assert_string_equal(name, "slt-vm0");
	tap_link_name("eleven-char", name);
	assert_string_equal(name, "slt-eleven-char");
	tap_link_name("twelve-chars", name);
	assert_int_equal(strlen(name), strlen("slt-") + 8);
	assert_string_not_equal(name, "slt-twelve-char");
}

static int become_subreaper(void **state)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_locks_are_held_until_then),
		cmocka_unit_test(test_without_keeper),
		cmocka_unit_test(test_orderly_end),
		cmocka_unit_test(test_dropped_group_lives),
		cmocka_unit_test(test_group_without_leader),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_holds_nothing),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_tap_names),
	};

	return cmocka_run_group_tests(tests, become_subreaper, NULL);
}
