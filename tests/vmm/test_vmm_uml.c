/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

static int setup(void **state)
{
	return vmm_lab_setup(state, &vmm_uml, NULL);
}

static void test_powers_off(void **state)
{
	struct vmm_lab *lab = *state;
	char path[128];
	pid_t pid;

	vmm_lab_boot(lab, &vmm_uml, "echo console says hello; poweroff -f", NULL);
	assert_string_equal(lab->vmm->kind->state(lab->vmm), "running");
	pid = lab->vmm->kind->pid(lab->vmm);
	vmm_lab_await_event(lab, VMM_RUNNING);
	vmm_lab_await_text(lab, "console says hello");
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(
		vmm_lab_story(lab), "running shutdown:guest-shutdown ended:exit status 0");
	assert_string_equal(lab->vmm->kind->state(lab->vmm), "ended");
	vmm_lab_await_gone(pid);
	snprintf(path, sizeof(path), "%s/uml", lab->dir);
	assert_int_equal(access(path, F_OK), -1);
}

/* A reset ends it: it does not boot again. */
static void test_resets(void **state)
{
	struct vmm_lab *lab = *state;

	vmm_lab_boot(lab, &vmm_uml, "echo up; reboot -f", NULL);
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(
		vmm_lab_story(lab), "running shutdown:guest-shutdown ended:exit status 0");
}

static void test_crashes(void **state)
{
	struct vmm_lab *lab = *state;

	vmm_lab_boot(lab, &vmm_uml, "mount -t proc proc /proc; echo c >/proc/sysrq-trigger", NULL);
	vmm_lab_await_event(lab, VMM_ENDED);
	vmm_lab_await_text(lab, "Kernel panic");
	assert_non_null(strstr(vmm_lab_story(lab), "running ended:killed by SIGABRT"));
}

static void test_kill(void **state)
{
	struct vmm_lab *lab = *state;
	pid_t pid;

	vmm_lab_boot(lab, &vmm_uml, "echo up; sleep 1000", NULL);
	vmm_lab_await_text(lab, "up");
	pid = lab->vmm->kind->pid(lab->vmm);
	assert_false(vmm_lab_is_gone(pid));
	assert_int_equal(lab->vmm->kind->powerdown(lab->vmm, NULL), -ENOTSUP);
	lab->vmm->kind->kill(lab->vmm);
	lab->vmm = NULL;
	vmm_lab_await_gone(pid);
	assert_string_equal(vmm_lab_story(lab), "running");
}

static void write_drive(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(truncate(path, 65536), 0);
}

static void test_drives(void **state)
{
	struct vmm_lab *lab = *state;
	char first[96], second[96], text[6] = "";
	FILE *file;

	snprintf(first, sizeof(first), "%s/first", lab->dir);
	snprintf(second, sizeof(second), "%s/second", lab->dir);
	write_drive(first, "first drive");
	write_drive(second, "other drive");
	lab->plan.drives[0] = (struct vmm_drive) { .path = first, .readonly = true };
	lab->plan.drives[1] = (struct vmm_drive) { .path = second };
	lab->plan.n_drives = 2;
	vmm_lab_boot(lab, &vmm_uml,
		"mount -t devtmpfs dev /dev; head -c 11 /dev/ubda; head -c 11 /dev/ubdb; "
		"echo written >/dev/ubdb; sync; echo x >/dev/ubda && echo not read-only; poweroff "
		"-f",
		NULL);
	vmm_lab_await_event(lab, VMM_SHUTDOWN);
	vmm_lab_await_text(lab, "first driveother drive");
	assert_null(strstr(lab->text, "not read-only"));
	file = fopen(second, "rb");
	assert_int_equal(fread(text, 1, 5, file), 5);
	fclose(file);
	assert_string_equal(text, "writt");
}

/* Boots a guest, tells where, and waits to be killed. */
static void be_launcher(int report)
{
	struct vmm_lab *lab;
	void *state;

	vmm_lab_setup(&state, &vmm_uml, NULL);
	lab = state;
	vmm_lab_boot(lab, &vmm_uml, "echo up; sleep 1000", NULL);
	vmm_lab_await_text(lab, "up");
	if (write(report, lab->dir, sizeof(lab->dir)) > 0)
		for (;;)
			pause();
}

/* A launcher that is killed where it stands: none of UML's processes, and no file, stays. */
static void test_launcher_is_killed(void **state)
{
	char dir[sizeof(((struct vmm_lab *)0)->dir)];
	int report[2];
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		be_launcher(report[1]);
		_exit(1);
	}
	close(report[1]);
	assert_int_equal(read(report[0], dir, sizeof(dir)), sizeof(dir));
	close(report[0]);
	assert_int_equal(access(dir, F_OK), 0);
	kill(pid, SIGKILL);
	for (int ms = 0; ms < 30000 && waitpid(-1, NULL, WNOHANG) >= 0; ms++)
		usleep(1000);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	assert_int_equal(access(dir, F_OK), -1);
}

static void test_needs_executable_tmpfs(void **state)
{
	struct vmm_lab *lab = *state;
	struct err err = { "" };

	if (fork() == 0) {
		char expected[256];

		if (unshare(CLONE_NEWNS) < 0 ||
			mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("t", "/dev/shm", "tmpfs", MS_NOEXEC, NULL) < 0 ||
			mount("t", lab->dir, "tmpfs", MS_NOEXEC, NULL) < 0)
			_exit(2);
		lab->plan.initrd = NULL;
		snprintf(expected, sizeof(expected),
			"UML keeps the guest's memory in a tmpfs that is not mounted noexec, which "
			"neither %s nor /dev/shm is (remount one with exec)",
			lab->dir);
		if (vmm_uml.check(&lab->plan, &err) != -EACCES || strcmp(err.text, expected) != 0)
			_exit(3);
		/* The private directory is enough. */
		mount("t", lab->dir, NULL, MS_REMOUNT, NULL);
		_exit(vmm_uml.check(&lab->plan, &err) == 0 ? 0 : 4);
	} else {
		int status;

		wait(&status);
		assert_int_equal(status, 0);
	}
}

static void test_check(void **state)
{
	struct vmm_lab *lab = *state;
	struct err err = { "" };

	assert_int_equal(vmm_uml.check(&lab->plan, &err), -ENOENT);
	assert_non_null(strstr(err.text, "cannot open the initrd /tmp/vmm-lab."));
	lab->plan.initrd = NULL;
	assert_int_equal(vmm_uml.check(&lab->plan, &err), 0);
	lab->plan.program = "/no/linux.uml";
	assert_int_equal(vmm_uml.check(&lab->plan, &err), -ENOENT);
	assert_string_equal(err.text, "cannot execute /no/linux.uml: No such file or directory");
	assert_ptr_equal(vmm_find("uml"), &vmm_uml);
	assert_ptr_equal(vmm_find("qemu"), &vmm_qemu);
	assert_null(vmm_find("bochs"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define UML_TEST(name) cmocka_unit_test_setup_teardown(name, setup, vmm_lab_teardown)
		UML_TEST(test_powers_off),
		UML_TEST(test_resets),
		UML_TEST(test_crashes),
		UML_TEST(test_kill),
		UML_TEST(test_drives),
		cmocka_unit_test(test_launcher_is_killed),
		UML_TEST(test_needs_executable_tmpfs),
		UML_TEST(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
