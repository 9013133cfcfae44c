/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm_lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Without KVM; each machine that the driver knows. */

static int setup_q35(void **state)
{
	return vmm_lab_setup(state, &vmm_qemu, "q35");
}

static int setup_microvm(void **state)
{
	return vmm_lab_setup(state, &vmm_qemu, "microvm");
}

static void test_powers_off(void **state)
{
	struct vmm_lab *lab = *state;
	pid_t pid;

	vmm_lab_boot(lab, &vmm_qemu, "echo console says hello; poweroff -f", NULL);
	assert_string_equal(lab->vmm->kind->state(lab->vmm), "starting");
	pid = lab->vmm->kind->pid(lab->vmm);
	vmm_lab_await_event(lab, VMM_RUNNING);
	assert_string_equal(lab->vmm->kind->state(lab->vmm), "running");
	vmm_lab_await_text(lab, "console says hello");
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(
		vmm_lab_story(lab), "running shutdown:guest-shutdown ended:exit status 0");
	vmm_lab_await_gone(pid);
}

/* A kernel that mistrusts what it was told of its TSC counts ticks. */
static void test_trusts_its_clock(void **state)
{
	struct vmm_lab *lab = *state;

	vmm_lab_boot(lab, &vmm_qemu,
		"mount -t sysfs sys /sys; "
		"cat /sys/devices/system/clocksource/clocksource0/current_clocksource; "
		"poweroff -f",
		NULL);
	vmm_lab_await_text(lab, "tsc");
	vmm_lab_await_event(lab, VMM_ENDED);
}

static void test_resets(void **state)
{
	struct vmm_lab *lab = *state;

	vmm_lab_boot(lab, &vmm_qemu, "echo up; reboot -f", NULL);
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(vmm_lab_story(lab), "running shutdown:guest-reset ended:exit status 0");
}

/* The power button, as the guest sees it: an input device. */
static void test_powerdown(void **state)
{
	struct vmm_lab *lab = *state;
	const char *files[] = { vmm_lab_module("drivers/input/evdev.ko"),
		vmm_lab_module("drivers/acpi/button.ko"), NULL };
	struct err err = { "" };

	vmm_lab_boot(lab, &vmm_qemu,
		"mount -t devtmpfs dev /dev; mount -t sysfs sys /sys; insmod /test/evdev.ko; "
		"insmod /test/button.ko; cd /sys/class/input; "
		"key=$(dirname $(grep -lx 'Power Button' event*/device/name)); "
		"exec 3</dev/input/${key%/device}; echo armed; head -c 1 <&3 >/dev/null; "
		"echo pressed; poweroff -f",
		files);
	/* Before it can take a command. */
	assert_int_equal(lab->vmm->kind->powerdown(lab->vmm, &err), -EIO);
	vmm_lab_await_text(lab, "armed");
	if (lab->vmm->kind->powerdown(lab->vmm, &err) < 0)
		fail_msg("%s", err.text);
	vmm_lab_await_text(lab, "pressed");
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(
		vmm_lab_story(lab), "running shutdown:guest-shutdown ended:exit status 0");
	assert_int_equal(lab->vmm->kind->powerdown(lab->vmm, &err), -EIO);
}

static void test_kill(void **state)
{
	struct vmm_lab *lab = *state;
	pid_t pid;

	vmm_lab_boot(lab, &vmm_qemu, "echo up; sleep 1000", NULL);
	vmm_lab_await_text(lab, "up");
	pid = lab->vmm->kind->pid(lab->vmm);
	assert_false(vmm_lab_is_gone(pid));
	lab->vmm->kind->kill(lab->vmm);
	lab->vmm = NULL;
	vmm_lab_await_gone(pid);
	assert_string_equal(vmm_lab_story(lab), "running");
}

/* As for a guest that was silent under KVM: the same plan once more. */
static void test_starts_again(void **state)
{
	struct vmm_lab *lab = *state;

	vmm_lab_boot(lab, &vmm_qemu, "echo first; sleep 1000", NULL);
	vmm_lab_await_event(lab, VMM_RUNNING);
	lab->vmm->kind->kill(lab->vmm);
	lab->n_events = 0;
	vmm_lab_boot(lab, &vmm_qemu, "echo second; poweroff -f", NULL);
	vmm_lab_await_event(lab, VMM_ENDED);
	vmm_lab_await_text(lab, "second");
	assert_string_equal(
		vmm_lab_story(lab), "running shutdown:guest-shutdown ended:exit status 0");
}

/* Its name needs quoting on QEMU's command line. */
static void test_drive(void **state)
{
	struct vmm_lab *lab = *state;
	const char *files[] = { vmm_lab_module("drivers/virtio/virtio_mmio.ko"),
		vmm_lab_module("drivers/block/virtio_blk.ko"), NULL };
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/drive,1", lab->dir);
	file = fopen(path, "wb");
	fputs("first drive", file);
	fclose(file);
	assert_int_equal(truncate(path, 65536), 0);
	lab->plan.drives[0] = (struct vmm_drive) { .path = path, .readonly = true };
	lab->plan.n_drives = 1;
	vmm_lab_boot(lab, &vmm_qemu,
		"mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys; "
		"modprobe virtio_pci; insmod /test/virtio_mmio.ko; insmod /test/virtio_blk.ko; "
		"head -c 11 /dev/vda; echo; cat /sys/block/vda/ro; poweroff -f",
		files);
	vmm_lab_await_event(lab, VMM_SHUTDOWN);
	vmm_lab_await_text(lab, "first drive\r\n1\r\n");
}

static void test_panics(void **state)
{
	struct vmm_lab *lab = *state;
	const char *files[] = { vmm_lab_module("drivers/misc/pvpanic/pvpanic.ko"),
		vmm_lab_module("drivers/misc/pvpanic/pvpanic-mmio.ko"), NULL };

	vmm_lab_boot(lab, &vmm_qemu,
		"mount -t proc proc /proc; insmod /test/pvpanic.ko; insmod /test/pvpanic-mmio.ko; "
		"echo c >/proc/sysrq-trigger",
		files);
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(
		vmm_lab_story(lab), "running panicked shutdown:guest-panic ended:exit status 0");
}

/* What QEMU complains of comes to the console. */
static void test_kernel_is_none(void **state)
{
	struct vmm_lab *lab = *state;
	const char *kernel = lab->plan.kernel;

	lab->plan.kernel = "/etc/passwd";
	vmm_lab_boot(lab, &vmm_qemu, "true", NULL);
	lab->plan.kernel = kernel;
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(vmm_lab_story(lab), "ended:exit status 1");
	vmm_lab_await_text(lab, "qemu: linux kernel too old");
}

static void test_check(void **state)
{
	struct vmm_lab *lab = *state;
	const char *kernel = lab->plan.kernel;
	struct err err = { "" };

	lab->plan.initrd = NULL;
	assert_int_equal(vmm_qemu.check(&lab->plan, &err), 0);
	lab->plan.kernel = "/no/vmlinuz";
	assert_int_equal(vmm_qemu.check(&lab->plan, &err), -ENOENT);
	assert_string_equal(
		err.text, "cannot open the kernel /no/vmlinuz: No such file or directory");
	lab->plan.kernel = "/tmp";
	assert_int_equal(vmm_qemu.check(&lab->plan, &err), -EINVAL);
	assert_string_equal(err.text, "the kernel /tmp is not a file");
	lab->plan.kernel = kernel;
	lab->plan.program = "no-such-qemu";
	assert_int_equal(vmm_qemu.check(&lab->plan, &err), -ENOENT);
	assert_string_equal(
		err.text, "cannot find no-such-qemu in PATH: No such file or directory");
}

/* --- a QEMU that was taken over -------------------------------------------------------------- */

static void run_fake(struct vmm_lab *lab, const char *name, const char *script)
{
	static char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", lab->dir, name);
	file = fopen(path, "we");
	fprintf(file,
		"#!/bin/bash\nfor word; do case $word in socket,id=monitor,fd=*) fd=${word##*=};; "
		"esac; done\nsay() { printf '%%s\\r\\n' \"$1\" >&$fd; }\n"
		"greet() { say '{\"QMP\": {\"version\": {}, \"capabilities\": []}}'; }\n%s\n",
		script);
	fclose(file);
	chmod(path, 0755);
	lab->plan.program = path;
	vmm_lab_boot(lab, &vmm_qemu, "true", NULL);
	vmm_lab_await_event(lab, VMM_ENDED);
	lab->plan.program = NULL;
}

static void test_talks_nonsense(void **state)
{
	struct vmm_lab *lab = *state;

	run_fake(lab, "fake", "say nonsense; sleep 1000 & sleep 1000");
	assert_string_equal(vmm_lab_story(lab),
		"ended:killed by SIGKILL: its monitor said: not JSON: '[' or '{' expected "
		"near 'nonsense'");
	vmm_lab_await_gone(lab->vmm->kind->pid(lab->vmm));
}

static void test_answers_out_of_turn(void **state)
{
	struct vmm_lab *lab = *state;

	run_fake(lab, "fake", "greet; say '{\"return\": {}, \"id\": 7}'; sleep 1000");
	assert_string_equal(
		vmm_lab_story(lab), "ended:killed by SIGKILL: its monitor said: out of turn");
}

static void test_talks_for_ever(void **state)
{
	struct vmm_lab *lab = *state;

	run_fake(lab, "fake", "greet; exec cat /dev/zero >&$fd");
	assert_string_equal(vmm_lab_story(lab),
		"ended:killed by SIGKILL: its monitor said: a line that is too long");
}

static void test_does_not_start(void **state)
{
	struct vmm_lab *lab = *state;

	run_fake(lab, "fake",
		"greet; say '{\"return\": {}, \"id\": 1}'; "
		"say '{\"error\": {\"class\": \"X\", \"desc\": \"no\"}, \"id\": 2}'; sleep 1000");
	/* The answer to what was not asked yet may come too early: either ends it. */
	assert_non_null(strstr(vmm_lab_story(lab), "ended:killed by SIGKILL: it"));
}

/* What it said last is told, though its end was known before. */
static void test_last_words(void **state)
{
	struct vmm_lab *lab = *state;

	run_fake(lab, "fake",
		"greet; read -u $fd; say '{\"return\": {}, \"id\": 1}'; "
		"read -u $fd; say '{\"return\": {}, \"id\": 2}'; "
		"say '{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, "
		"\"reason\": \"A\\nlie\"}}'; exit 3");
	assert_string_equal(vmm_lab_story(lab), "running shutdown:unknown ended:exit status 3");
}

int main(int argc, char **argv)
{
#define Q35_TEST(name)     cmocka_unit_test_setup_teardown(name, setup_q35, vmm_lab_teardown)
#define MICROVM_TEST(name) cmocka_unit_test_setup_teardown(name, setup_microvm, vmm_lab_teardown)
	const struct CMUnitTest q35[] = {
		Q35_TEST(test_powers_off),
		Q35_TEST(test_resets),
		Q35_TEST(test_powerdown),
		Q35_TEST(test_drive),
		Q35_TEST(test_panics),
		Q35_TEST(test_kill),
		Q35_TEST(test_starts_again),
		Q35_TEST(test_kernel_is_none),
		Q35_TEST(test_check),
		Q35_TEST(test_talks_nonsense),
		Q35_TEST(test_answers_out_of_turn),
		Q35_TEST(test_talks_for_ever),
		Q35_TEST(test_does_not_start),
		Q35_TEST(test_last_words),
	};

	const struct CMUnitTest microvm[] = {
		MICROVM_TEST(test_powers_off),
		MICROVM_TEST(test_trusts_its_clock),
		MICROVM_TEST(test_resets),
		MICROVM_TEST(test_powerdown),
		MICROVM_TEST(test_drive),
	};

	if (argc == 2 && strcmp(argv[1], "microvm") == 0)
		return cmocka_run_group_tests(microvm, NULL, NULL);
	return cmocka_run_group_tests(q35, NULL, NULL);
}
