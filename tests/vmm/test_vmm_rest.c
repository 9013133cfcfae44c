/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm_lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-agent/power.h"

/* Cloud Hypervisor and Firecracker, against a fake that knows what they take (tests/fakes). */

static int setup(void **state, const struct vmm_kind *kind)
{
	struct vmm_lab *lab;
	FILE *file;

	vmm_lab_setup(state, kind, NULL);
	lab = *state;
	lab->plan.program = getenv("FAKE_VMM_PROGRAM");
	assert_non_null(lab->plan.program);
	unsetenv("FAKE_VMM");
	/* Both look at their files: an ELF file for a kernel, and an initrd. */
	free((char *)lab->plan.kernel);
	lab->plan.kernel = strdup("/proc/self/exe");
	file = fopen(lab->initrd, "w");
	assert_non_null(file);
	fclose(file);
	return 0;
}

static int setup_cloud_hypervisor(void **state)
{
	return setup(state, &vmm_cloud_hypervisor);
}

static int setup_firecracker(void **state)
{
	return setup(state, &vmm_firecracker);
}

static void start(struct vmm_lab *lab, const struct vmm_kind *kind)
{
	struct err err = { "" };

	if (vmm_lab_start(lab, kind, &err) < 0)
		fail_msg("%s", err.text);
}

static void fill_plan(struct vmm_lab *lab)
{
	static char drive[96];
	FILE *file;

	snprintf(drive, sizeof(drive), "%s/drive", lab->dir);
	file = fopen(drive, "w");
	assert_non_null(file);
	fclose(file);
	lab->plan.n_cpus = 2;
	lab->plan.memory_mib = 512;
	lab->plan.cid = 7;
	lab->plan.vsock_path = "/run/x.vsock";
	lab->plan.drives[0] = (struct vmm_drive) { .path = drive, .readonly = true };
	lab->plan.n_drives = 1;
	lab->plan.nics[0].mac = (struct mac) { { 0xaa, 0xfc, 0, 0, 0, 1 } };
	lab->plan.n_nics = 1;
}

static void press_button(struct vmm_lab *lab)
{
	const char *expected = "running shutdown:guest-shutdown ended:exit status 0";
	struct err err = { "" };
	pid_t pid = lab->vmm->kind->pid(lab->vmm);

	assert_string_equal(vmm_lab_story(lab), "running");
	assert_string_equal(lab->vmm->kind->state(lab->vmm), "running");
	if (lab->vmm->kind->powerdown(lab->vmm, &err) < 0)
		fail_msg("%s", err.text);
	vmm_lab_await_text(lab, "the guest powers off");
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(vmm_lab_story(lab), expected);
	assert_int_equal(lab->vmm->kind->powerdown(lab->vmm, &err), -EIO);
	vmm_lab_await_gone(pid);
}

static void test_cloud_hypervisor(void **state)
{
	struct vmm_lab *lab = *state;
	char expected[1024];

	fill_plan(lab);
	lab->plan.nics[0].socket = "/run/x.sock";
	lab->plan.nics[0].mtu = 1400;
	lab->plan.share = (struct vmm_share) { .socket = "/run/fs.sock", .tag = "files" };
	start(lab, &vmm_cloud_hypervisor);
	assert_string_equal(lab->vmm->kind->state(lab->vmm), "starting");
	assert_int_equal(lab->vmm->kind->powerdown(lab->vmm, NULL), -EIO);
	vmm_lab_await_event(lab, VMM_RUNNING);
	snprintf(expected, sizeof(expected),
		"PUT /vm.create {\"console\": {\"mode\": \"Off\"}, \"cpus\": {\"boot_vcpus\": 2, "
		"\"max_vcpus\": 2}, \"disks\": [{\"image_type\": \"Raw\", \"path\": \"%s/drive\", "
		"\"readonly\": true}], \"fs\": [{\"num_queues\": 1, \"queue_size\": 1024, "
		"\"socket\": \"/run/fs.sock\", \"tag\": \"files\"}], \"memory\": {\"shared\": "
		"true, \"size\": 536870912}, \"net\": [{\"mac\": \"aa:fc:00:00:00:01\", \"mtu\": "
		"1400, \"num_queues\": 2, \"queue_size\": 256, \"vhost_mode\": \"Client\", "
		"\"vhost_socket\": \"/run/x.sock\", \"vhost_user\": true}], \"payload\": "
		"{\"cmdline\": \"rdinit=/test-init quiet console=ttyS0 panic=1\", \"initramfs\": "
		"\"%s/initrd\", \"kernel\": \"/proc/self/exe\"}, \"serial\": {\"mode\": \"Tty\"}, "
		"\"vsock\": {\"cid\": 7, \"socket\": \"/run/x.vsock\"}}\nPUT /vm.boot null\n",
		lab->dir, lab->dir);
	vmm_lab_await_text(lab, expected);
	press_button(lab);
}

static void test_firecracker(void **state)
{
	struct vmm_lab *lab = *state;
	char expected[1024];

	fill_plan(lab);
	lab->plan.nics[0].tap = "tap0";
	start(lab, &vmm_firecracker);
	vmm_lab_await_event(lab, VMM_RUNNING);
	snprintf(expected, sizeof(expected),
		"PUT /machine-config {\"mem_size_mib\": 512, \"vcpu_count\": 2}\n"
		"PUT /boot-source {\"boot_args\": \"rdinit=/test-init quiet console=ttyS0 "
		"reboot=k panic=1 " POWER_RESET_WORD
		"\", \"initrd_path\": \"%s/initrd\", \"kernel_image_path\": "
		"\"/proc/self/exe\"}\n"
		"PUT /drives/drive0 {\"drive_id\": \"drive0\", \"is_read_only\": true, "
		"\"is_root_device\": false, \"path_on_host\": \"%s/drive\"}\n"
		"PUT /network-interfaces/eth0 {\"guest_mac\": \"aa:fc:00:00:00:01\", "
		"\"host_dev_name\": \"tap0\", \"iface_id\": \"eth0\"}\n"
		"PUT /vsock {\"guest_cid\": 7, \"uds_path\": \"/run/x.vsock\"}\n"
		"PUT /actions {\"action_type\": \"InstanceStart\"}\n",
		lab->dir, lab->dir);
	vmm_lab_await_text(lab, expected);
	press_button(lab);
}

/* What it refuses is the end, and told with its words. */
static void test_refused(void **state)
{
	struct vmm_lab *lab = *state;

	fill_plan(lab);
	lab->plan.nics[0].tap = "tap0";
	free((char *)lab->plan.kernel);
	lab->plan.kernel = strdup("/etc/passwd");
	start(lab, &vmm_firecracker);
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(vmm_lab_story(lab),
		"ended:killed by SIGKILL: /boot-source: Kernel Loader: failed to load ELF kernel "
		"image");
}

static void test_refused_by_cloud_hypervisor(void **state)
{
	struct vmm_lab *lab = *state;

	lab->plan.drives[0].path = "/no/drive";
	lab->plan.n_drives = 1;
	start(lab, &vmm_cloud_hypervisor);
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(vmm_lab_story(lab),
		"ended:killed by SIGKILL: /api/v1/vm.create: no such file: /no/drive");
}

static void test_crashes(void **state)
{
	struct vmm_lab *lab = *state;

	setenv("FAKE_VMM", "crashes", 1);
	start(lab, &vmm_firecracker);
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_non_null(strstr(vmm_lab_story(lab), "ended:killed by SIGSEGV"));
}

static void test_never_listens(void **state)
{
	struct vmm_lab *lab = *state;

	setenv("FAKE_VMM", "never-listens", 1);
	start(lab, &vmm_firecracker);
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(vmm_lab_story(lab), "ended:killed by SIGKILL: its API: nobody listens");
}

static void test_never_answers(void **state)
{
	struct vmm_lab *lab = *state;

	setenv("FAKE_VMM", "hangs", 1);
	start(lab, &vmm_cloud_hypervisor);
	vmm_lab_await_event(lab, VMM_ENDED);
	assert_string_equal(vmm_lab_story(lab),
		"ended:killed by SIGKILL: /api/v1/vm.create: Timeout was reached");
}

static void test_kill(void **state)
{
	struct vmm_lab *lab = *state;
	char path[96];
	pid_t pid;

	start(lab, &vmm_cloud_hypervisor);
	vmm_lab_await_event(lab, VMM_RUNNING);
	pid = lab->vmm->kind->pid(lab->vmm);
	lab->vmm->kind->kill(lab->vmm);
	lab->vmm = NULL;
	vmm_lab_await_gone(pid);
	snprintf(path, sizeof(path), "%s/api.sock", lab->dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_check_of_firecracker(void **state)
{
	struct vmm_lab *lab = *state;
	struct err err = { "" };

	free((char *)lab->plan.kernel);
	lab->plan.kernel = strdup("/etc/passwd");
	assert_int_equal(vmm_firecracker.check(&lab->plan, &err), -ENOEXEC);
	assert_string_equal(err.text,
		"Firecracker boots ELF kernels only, and /etc/passwd is none (a distribution's "
		"vmlinuz has to be unpacked)");
	lab->plan.share.socket = "/run/fs.sock";
	assert_int_equal(vmm_firecracker.check(&lab->plan, &err), -ENOTSUP);
	assert_string_equal(err.text, "Firecracker has no virtio-fs");
	lab->plan.share.socket = NULL;
	lab->plan.nics[0].socket = "/run/x.sock";
	lab->plan.n_nics = 1;
	assert_int_equal(vmm_firecracker.check(&lab->plan, &err), -ENOTSUP);
	assert_string_equal(err.text, "Firecracker's network needs a TAP");
	assert_ptr_equal(vmm_find("firecracker"), &vmm_firecracker);
	assert_ptr_equal(vmm_find("cloud-hypervisor"), &vmm_cloud_hypervisor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CH_TEST(name)                                                                              \
	cmocka_unit_test_setup_teardown(name, setup_cloud_hypervisor, vmm_lab_teardown)
#define FC_TEST(name) cmocka_unit_test_setup_teardown(name, setup_firecracker, vmm_lab_teardown)
		CH_TEST(test_cloud_hypervisor),
		FC_TEST(test_firecracker),
		FC_TEST(test_refused),
		CH_TEST(test_refused_by_cloud_hypervisor),
		FC_TEST(test_crashes),
		FC_TEST(test_never_listens),
		CH_TEST(test_never_answers),
		CH_TEST(test_kill),
		FC_TEST(test_check_of_firecracker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
