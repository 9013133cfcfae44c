/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "launcher/vmm/argv.h"
#include "launcher/vmm/qemu_args.h"
#include "launcher/vmm/uml_args.h"

/* Command lines, word for word. That QEMU and UML understand them is what tests/vmm shows. */

static struct vmm_plan full_plan(void)
{
	return (struct vmm_plan) {
		.name = "web",
		.run_dir = "/run/sluice/web",
		.kernel = "/boot/vmlinuz",
		.initrd = "/run/sluice/web/initrd",
		.cmdline = "rdinit=/init quiet",
		.n_cpus = 2,
		.memory_mib = 512,
		.machine = "q35",
		.nics = { { .socket = "/run/sluice/web.sock",
				  .mac = { { 0xaa, 0xfc, 0, 0, 0, 1 } },
				  .mtu = 1450 },
			{ .tap = "tap0", .mac = { { 0xaa, 0xfc, 0, 0, 0, 2 } } } },
		.n_nics = 2,
		.share = { .socket = "/run/sluice/web/fs", .tag = "share" },
		.drives = { { .path = "/img/a", .readonly = true }, { .path = "/img/b" } },
		.n_drives = 2,
		.vsock_socket = "/run/sluice/web/vsock",
		.console = 9,
	};
}

static void assert_words(const struct argv *argv, const char *const *expected)
{
	size_t n = 0;

	for (; expected[n] != NULL && n < argv->n; n++)
		assert_string_equal(argv->words[n], expected[n]);
	assert_null(expected[n]);
	assert_int_equal(n, argv->n);
	assert_null(argv->words[n]);
}

#define QEMU_HEAD                                                                                  \
	"qemu", "-name", "guest=web", "-nodefaults", "-no-user-config", "-no-reboot", "-S",        \
		"-display", "none", "-sandbox",                                                    \
		"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

#define QEMU_MEMORY                                                                                \
	"-smp", "2", "-m", "512M", "-object", "memory-backend-memfd,id=ram,size=512M,share=on",    \
		"-kernel", "/boot/vmlinuz", "-initrd", "/run/sluice/web/initrd", "-append"

#define QEMU_CHANNELS                                                                              \
	"-add-fd", "fd=9,set=1", "-chardev", "file,id=console,path=/dev/fdset/1,append=on",        \
		"-serial", "chardev:console", "-chardev", "socket,id=monitor,fd=7", "-mon",        \
		"chardev=monitor,mode=control"

static void test_q35_under_kvm(void **state)
{
	const char *expected[] = { QEMU_HEAD, "-machine", "q35,memory-backend=ram", "-accel", "kvm",
		"-cpu", "host", QEMU_MEMORY, "rdinit=/init quiet console=ttyS0", QEMU_CHANNELS,
		"-chardev", "socket,id=link0,path=/run/sluice/web.sock,reconnect=1", "-netdev",
		"vhost-user,id=net0,chardev=link0", "-device",
		"virtio-net-pci,netdev=net0,mac=aa:fc:00:00:00:01,host_mtu=1450,romfile=",
		"-netdev", "tap,id=net1,ifname=tap0,script=no,downscript=no", "-device",
		"virtio-net-pci,netdev=net1,mac=aa:fc:00:00:00:02,romfile=", "-chardev",
		"socket,id=vsock,path=/run/sluice/web/vsock", "-device",
		"vhost-user-vsock-pci,chardev=vsock", "-chardev",
		"socket,id=share,path=/run/sluice/web/fs", "-device",
		"vhost-user-fs-pci,chardev=share,queue-size=1024,tag=share", "-blockdev",
		"driver=raw,node-name=drive0,read-only=on,file.driver=file,file.filename=/img/a",
		"-device", "virtio-blk-pci,drive=drive0", "-blockdev",
		"driver=raw,node-name=drive1,read-only=off,file.driver=file,file.filename=/img/b",
		"-device", "virtio-blk-pci,drive=drive1", "-device", "pvpanic", NULL };
	const struct qemu_run run = { .program = "qemu", .kvm = true, .monitor = 7 };
	struct vmm_plan plan = full_plan();
	cleanup_argv struct argv argv = { 0 };

	assert_int_equal(qemu_args(&plan, &run, &argv, NULL), 0);
	assert_words(&argv, expected);
}

static void test_microvm_without_kvm(void **state)
{
	const char *expected[] = { QEMU_HEAD, "-machine", "microvm,memory-backend=ram", "-accel",
		"tcg,tb-size=64", "-cpu", "max", QEMU_MEMORY,
		"rdinit=/init quiet console=ttyS0 reboot=t tsc_early_khz=2345678 tsc=reliable",
		QEMU_CHANNELS, "-chardev", "socket,id=link0,path=/run/sluice/web.sock,reconnect=1",
		"-netdev", "vhost-user,id=net0,chardev=link0", "-device",
		"virtio-net-device,netdev=net0,mac=aa:fc:00:00:00:01,host_mtu=1450", "-global",
		"virtio-mmio.force-legacy=false", NULL };
	const struct qemu_run run = { .program = "qemu", .tsc_khz = 2345678, .monitor = 7 };
	struct vmm_plan plan = full_plan();
	cleanup_argv struct argv argv = { 0 };

	plan.machine = "microvm";
	plan.n_nics = 1;
	plan.n_drives = 0;
	plan.share.socket = plan.vsock_socket = NULL;
	assert_int_equal(qemu_args(&plan, &run, &argv, NULL), 0);
	assert_words(&argv, expected);
}

static const char *find_word(const struct argv *argv, const char *start)
{
	for (size_t i = 0; i < argv->n; i++)
		if (strncmp(argv->words[i], start, strlen(start)) == 0)
			return argv->words[i];
	return "";
}

/* QEMU 7.2 crashes if a vhost-user PCI device has vectors without KVM. */
static void test_vectors_without_kvm(void **state)
{
	const struct qemu_run run = { .program = "qemu", .monitor = 7 };
	struct vmm_plan plan = full_plan();
	cleanup_argv struct argv argv = { 0 };

	assert_int_equal(qemu_args(&plan, &run, &argv, NULL), 0);
	assert_non_null(strstr(find_word(&argv, "virtio-net-pci,netdev=net0"), ",vectors=0"));
	assert_null(strstr(find_word(&argv, "virtio-net-pci,netdev=net1"), ",vectors=0"));
	assert_non_null(strstr(find_word(&argv, "vhost-user-vsock-pci"), ",vectors=0"));
	assert_non_null(strstr(find_word(&argv, "vhost-user-fs-pci"), ",vectors=0"));
	assert_null(strstr(find_word(&argv, "virtio-blk-pci"), ",vectors=0"));
}

/* A comma ends an option's value unless it is doubled: a path must not become options. */
static void test_commas(void **state)
{
	const struct qemu_run run = { .program = "qemu", .monitor = 7 };
	struct vmm_plan plan = full_plan();
	cleanup_argv struct argv argv = { 0 };

	plan.nics[0].socket = "/run/a,server=on";
	plan.drives[1].path = "/img,readonly=on,,";
	plan.share.tag = "a,b";
	assert_int_equal(qemu_args(&plan, &run, &argv, NULL), 0);
	assert_string_equal(find_word(&argv, "socket,id=link0"),
		"socket,id=link0,path=/run/a,,server=on,reconnect=1");
	assert_string_equal(find_word(&argv, "driver=raw,node-name=drive1"),
		"driver=raw,node-name=drive1,read-only=off,file.driver=file,"
		"file.filename=/img,,readonly=on,,,,");
	assert_string_equal(find_word(&argv, "vhost-user-fs-pci"),
		"vhost-user-fs-pci,chardev=share,queue-size=1024,tag=a,,b,vectors=0");
}

static void test_unknown_machine(void **state)
{
	const struct qemu_run run = { .program = "qemu", .monitor = 7 };
	struct vmm_plan plan = full_plan();
	cleanup_argv struct argv argv = { 0 };
	struct err err = { "" };

	plan.machine = "pc";
	assert_int_equal(qemu_args(&plan, &run, &argv, &err), -EINVAL);
	assert_string_equal(err.text, "there is no machine \"pc\" (q35, microvm)");
}

static void test_uml(void **state)
{
	const char *expected[] = { "linux.uml", "mem=512M", "noreboot",
		"initrd=/run/sluice/web/initrd", "root=/dev/ram0", "con=null", "con0=null,fd:1",
		"ssl=null", "console=tty0", "uml_dir=/run/sluice/web/", "umid=uml",
		"virtio_uml.device=/run/sluice/web.sock:1",
		"vec0:transport=tap,ifname=tap0,depth=128,gro=1,mac=aa:fc:00:00:00:02,mtu=9001",
		"virtio_uml.device=/run/sluice/web/vsock:19",
		"virtio_uml.device=/run/sluice/web/fs:26", "ubd0r=/img/a", "ubd1=/img/b",
		"rdinit=/init quiet", NULL };
	struct vmm_plan plan = full_plan();
	cleanup_argv struct argv argv = { 0 };

	plan.nics[1].mtu = 9001;
	assert_int_equal(uml_args(&plan, "linux.uml", &argv, NULL), 0);
	assert_words(&argv, expected);
}

/* UML has no way to quote: a name must not become another option, or another of the kernel's. */
static void test_uml_refuses_what_it_cannot_say(void **state)
{
	static const char *const names[] = { "/img/a,/img/b", "/img/a:b", "/img/a b", "/img/\"a" };
	struct vmm_plan plan = full_plan();
	struct err err = { "" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cleanup_argv struct argv argv = { 0 };

		plan.drives[1].path = names[i];
		assert_int_equal(uml_args(&plan, "linux.uml", &argv, &err), -EINVAL);
		assert_non_null(strstr(err.text, names[i]));
	}
	plan = full_plan();
	plan.nics[0].socket = "/run/x:1";
	assert_int_equal(uml_args(&plan, "linux.uml", &(struct argv) { 0 }, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_q35_under_kvm),
		cmocka_unit_test(test_microvm_without_kvm),
		cmocka_unit_test(test_vectors_without_kvm),
		cmocka_unit_test(test_commas),
		cmocka_unit_test(test_unknown_machine),
		cmocka_unit_test(test_uml),
		cmocka_unit_test(test_uml_refuses_what_it_cannot_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
