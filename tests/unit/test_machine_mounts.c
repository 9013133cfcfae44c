/* SPDX-License-Identifier: BSD-3-Clause */

/* Roots and volumes, in a small root of our own in a mount namespace of our own: as PID 1 sees it.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "guest-agent/early_mounts.h"
#include "guest-agent/machine_root.h"
#include "guest-agent/mount_tree.h"
#include "guest-agent/volumes.h"
#include "lib/whole_file.h"

static struct err err;
static json_t *report;

static void check(int ret)
{
	if (ret < 0)
		fail_msg("%s (%s)", err.text, strerror(errno));
}

static void write_text(const char *path, const char *text)
{
	assert_int_equal(whole_file_write(path, 0644, text, strlen(text)), 0);
}

static void assert_text(const char *path, const char *expected)
{
	char *text = NULL;
	size_t len;

	if (whole_file_read(path, 4096, &text, &len) != 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_string_equal(text, expected);
	free(text);
}

static void assert_absent(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		fail_msg("%s is there", path);
}

static int old_namespace = -1;
static char dir[64];

/* A tmpfs becomes "/", in which /image is an image. */
static int setup(void **state)
{
	static const char *const dirs[] = { "/run", AGENT_DIR, "/dev", "/sys", "/newroot", "/image",
		"/image/etc", "/image/data", "/etc" };

	strcpy(dir, "/tmp/test-machine-XXXXXX");
	old_namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	assert_true(old_namespace >= 0);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(mount("tmpfs", dir, "tmpfs", 0, NULL), 0);
	assert_int_equal(chroot(dir), 0);
	assert_int_equal(chdir("/"), 0);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		assert_int_equal(mkdir(dirs[i], 0755), 0);
	write_text("/dev/mark", "dev");
	write_text("/etc/hosts", "the agent's");
	write_text("/image/etc/hosts", "the image's");
	write_text("/image/etc/passwd", "root");
	report = json_array();
	return 0;
}

static int teardown(void **state)
{
	json_decref(report);
	assert_int_equal(setns(old_namespace, CLONE_NEWNS), 0);
	close(old_namespace);
	return rmdir(dir);
}

static struct machine_mount image = { .kind = MACHINE_INITRAMFS, .source = (char[]) { "/image" } };

static void mount_image(void)
{
	check(machine_root_mount(&image, &err));
	assert_text("/newroot/etc/hosts", "the image's");
}

static int mount_volume(struct machine_mount mount)
{
	return volumes_mount(&mount, 1, report, &err);
}

#define TMPFS(where, ...)                                                                          \
	((struct machine_mount) {                                                                  \
		.kind = MACHINE_TMPFS, .destination = (char[]) { where }, ##__VA_ARGS__ })

static void assert_tmpfs(const char *path)
{
	struct statfs fs, parent;
	char above[256];

	snprintf(above, sizeof(above), "%s/..", path);
	assert_int_equal(statfs(path, &fs), 0);
	assert_int_equal(statfs(above, &parent), 0);
	assert_int_equal(fs.f_type, TMPFS_MAGIC);
	assert_memory_not_equal(&fs.f_fsid, &parent.f_fsid, sizeof(fs.f_fsid));
}

static void test_root_and_volume(void **state)
{
	struct statvfs fs;
	struct stat st;

	mount_image();
	check(mount_volume(TMPFS("/data", .options = (char[]) { "size=64k,mode=0751,nosuid" })));
	assert_tmpfs("/newroot/data");
	assert_int_equal(statvfs("/newroot/data", &fs), 0);
	assert_int_equal(fs.f_blocks * fs.f_frsize, 65536);
	assert_true((fs.f_flag & ST_NOSUID) != 0);
	assert_int_equal(stat("/newroot/data", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(report, 0), "destination")),
		"/data");
	assert_absent("/run/sluice/stage/x");
}

static void test_missing_mount_point_is_made(void **state)
{
	mount_image();
	check(mount_volume(TMPFS("/var/lib/deep")));
	assert_tmpfs("/newroot/var/lib/deep");
}

static void test_symlinks_stay_inside(void **state)
{
	assert_int_equal(symlink("/etc", "/image/evil"), 0);
	assert_int_equal(symlink("../../../../run", "/image/worse"), 0);
	mount_image();
	check(mount_volume(TMPFS("/evil")));
	check(mount_volume(TMPFS("/worse/sluice")));
	assert_tmpfs("/newroot/etc");
	assert_tmpfs("/newroot/run/sluice");
	assert_text("/etc/hosts", "the agent's");
	assert_int_equal(access("/run/sluice/stage", F_OK), 0);
}

/* A volume in a volume, and one over another. */
static void test_order(void **state)
{
	mount_image();
	check(mount_volume(TMPFS("/data")));
	write_text("/newroot/data/first", "1");
	check(mount_volume(TMPFS("/data/inner")));
	assert_tmpfs("/newroot/data/inner");
	check(mount_volume(TMPFS("/data")));
	assert_absent("/newroot/data/first");
}

static void test_read_only_volume(void **state)
{
	mount_image();
	check(mount_volume(TMPFS("/data", .readonly = true)));
	assert_int_equal(open("/newroot/data/x", O_CREAT | O_WRONLY, 0600), -1);
	assert_int_equal(errno, EROFS);
}

/* Mount points are made in it all the same. */
static void test_read_only_root(void **state)
{
	image.readonly = true;
	mount_image();
	check(mount_volume(TMPFS("/new/place")));
	check(machine_root_finish(&image, &err));
	assert_int_equal(open("/newroot/x", O_CREAT | O_WRONLY, 0600), -1);
	assert_int_equal(errno, EROFS);
	write_text("/newroot/new/place/x", "written");
	image.readonly = false;
}

static void test_failure_names_the_destination(void **state)
{
	mount_image();
	assert_true(mount_volume(TMPFS("/data", .options = (char[]) { "size=plenty" })) < 0);
	assert_non_null(strstr(err.text, "mount /data: "));
	assert_true(mount_volume((struct machine_mount) { .kind = MACHINE_VIRTIOFS,
			    .source = (char[]) { "notag" },
			    .destination = (char[]) { "/data" } }) < 0);
	assert_non_null(strstr(err.text, "TAG:/DIRECTORY"));
	assert_true(mount_volume((struct machine_mount) { .kind = MACHINE_VIRTIOFS,
			    .source = (char[]) { "../x:/" },
			    .destination = (char[]) { "/data" } }) < 0);
	assert_non_null(strstr(err.text, "not a tag"));
	assert_int_equal(json_array_size(report), 3);
	assert_non_null(json_object_get(json_array_get(report, 2), "error"));
}

static void test_optional_may_fail(void **state)
{
	const struct machine_mount mounts[] = {
		TMPFS("/data", .options = (char[]) { "size=plenty" }, .optional = true),
		TMPFS("/second"),
	};

	mount_image();
	check(volumes_mount(mounts, 2, report, &err));
	assert_tmpfs("/newroot/second");
	assert_non_null(json_object_get(json_array_get(report, 0), "error"));
	assert_null(json_object_get(json_array_get(report, 1), "error"));
}

static void test_missing_root(void **state)
{
	struct machine_mount root = { .kind = MACHINE_INITRAMFS,
		.source = (char[]) { "/nowhere" } };

	assert_int_equal(machine_root_mount(&root, &err), -ENOENT);
	assert_string_equal(err.text, "mount /: cannot take /nowhere: No such file or directory");
}

static void test_files(void **state)
{
	struct machine_spec spec = { .hostname = (char[]) { "web-0" },
		.hosts = (char[]) { "127.0.0.1 localhost\n" },
		.resolv_conf = (char[]) { "nameserver 10.96.0.10\n" } };

	assert_int_equal(symlink("../run/resolve/stub.conf", "/image/etc/resolv.conf"), 0);
	mount_image();
	machine_root_add_files(&spec);
	assert_text("/newroot/etc/hostname", "web-0\n");
	assert_text("/newroot/etc/hosts", "127.0.0.1 localhost\n");
	assert_text("/newroot/run/resolve/stub.conf", "nameserver 10.96.0.10\n");
	assert_text("/image/etc/hosts", "the image's");
	assert_text("/etc/hosts", "the agent's");
}

static void test_files_not_said_stay(void **state)
{
	struct machine_spec spec = { .hostname = NULL };

	mount_image();
	machine_root_add_files(&spec);
	assert_text("/newroot/etc/hosts", "the image's");
	assert_absent("/newroot/etc/hostname");
}

static void test_kernel_file_systems(void **state)
{
	mount_image();
	machine_root_add_kernel();
	assert_text("/newroot/dev/mark", "dev");
	check(mount_volume(TMPFS("/dev/shm")));
	assert_tmpfs("/newroot/dev/shm");
}

static void test_entrypoint(void **state)
{
	mount_image();
	assert_false(machine_root_has_entrypoint());
	assert_int_equal(mkdir("/image/.runcvm", 0755), 0);
	write_text("/image/.runcvm/entrypoint", "#!/bin/sh\n");
	assert_false(machine_root_has_entrypoint());
	assert_int_equal(chmod("/image/.runcvm/entrypoint", 0755), 0);
	assert_true(machine_root_has_entrypoint());
	assert_int_equal(unlink("/image/.runcvm/entrypoint"), 0);
	assert_int_equal(mkdir("/image/.runcvm/entrypoint", 0755), 0);
	assert_false(machine_root_has_entrypoint());
}

static void test_no_descriptor_is_left(void **state)
{
	int before = dup(0), after;

	close(before);
	test_failure_names_the_destination(state);
	check(mount_volume(TMPFS("/data")));
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_root_and_volume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_mount_point_is_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_symlinks_stay_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only_volume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only_root, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_failure_names_the_destination, setup, teardown),
		cmocka_unit_test_setup_teardown(test_optional_may_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_not_said_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_file_systems, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entrypoint, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptor_is_left, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
