/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/oci/machine_parts.h"
#include "launcher/oci/machine_root.h"
#include "lib/whole_file.h"
#include "tests/unit/scratch.h"

static void make(void **state, const char *text)
{
	struct err err = { "" };

	if (machine_root_make(*state, text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
}

static void refuse(void **state, int code, const char *words)
{
	struct err err = { "" };

	assert_int_equal(machine_root_make(*state, "{}", 2, &err), code);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, err.text);
}

static void expect_text(void **state, const char *name, const char *text)
{
	char *found;
	size_t len;

	assert_int_equal(whole_file_read(scratch_path(state, name), 1 << 20, &found, &len), 0);
	assert_string_equal(found, text);
	free(found);
}

static mode_t mode_of(void **state, const char *name)
{
	struct stat st;

	assert_int_equal(lstat(scratch_path(state, name), &st), 0);
	return st.st_mode;
}

/* Whatever the umask that the engine has. */
static void test_a_new_one(void **state)
{
	char target[32] = "";
	mode_t before = umask(077);

	make(state, "{ \"version\": 1 }");
	umask(0);
	make(state, "{ \"version\": 1 }");
	umask(before);
	expect_text(state, "sluice/sluice/container.json", "{ \"version\": 1 }");
	assert_int_equal(mode_of(state, "sluice/sluice/container.json"), S_IFREG | 0600);
	assert_int_equal(mode_of(state, "sluice/sluice"), S_IFDIR | 0700);
	assert_int_equal(mode_of(state, "sluice/sluice/share/vol"), S_IFDIR | 0755);
	assert_int_equal(mode_of(state, "sluice/sluice/share/rootfs"), S_IFDIR | 0755);
	assert_int_equal(mode_of(state, "sluice/tmp"), S_IFDIR | 01777);
	assert_int_equal(mode_of(state, "sluice/var/cache/sluice"), S_IFDIR | 0755);
	assert_int_equal(mode_of(state, "sluice/etc/passwd"), S_IFREG | 0644);
	assert_int_equal(readlink(scratch_path(state, "sluice/lib64"), target, 31), 9);
	assert_string_equal(target, "usr/lib64");
	assert_int_equal(mode_of(state, "sluice/etc/mtab") & S_IFMT, S_IFLNK);
	assert_int_equal(mode_of(state, "sluice/var/run"), S_IFDIR | 0755);
	assert_int_equal(readlink(scratch_path(state, "sluice/var/run/dpdk"), target, 31), 16);
	assert_int_equal(mode_of(state, "sluice/etc/netconfig"), S_IFREG | 0644);
}

/* A runtime that was killed is run again, and may have left half a file. */
static void test_over_an_older_one(void **state)
{
	make(state, "{ \"old\": 1, \"longer\": 1 }");
	scratch_write(state, "sluice/sluice/.new", "half", 0644);
	make(state, "{ \"new\": 1 }");
	expect_text(state, "sluice/sluice/container.json", "{ \"new\": 1 }");
	assert_int_equal(access(scratch_path(state, "sluice/sluice/.new"), F_OK), -1);
}

/* The container's file is replaced, never written through. */
static void test_nothing_is_followed(void **state)
{
	make(state, "{}");
	scratch_write(state, "victim", "untouched", 0644);
	unlink(scratch_path(state, "sluice/sluice/container.json"));
	assert_int_equal(
		symlink("../../victim", scratch_path(state, "sluice/sluice/container.json")), 0);
	assert_int_equal(symlink("../../victim", scratch_path(state, "sluice/sluice/.new")), 0);
	make(state, "{ \"new\": 1 }");
	expect_text(state, "victim", "untouched");
	expect_text(state, "sluice/sluice/container.json", "{ \"new\": 1 }");
}

static void test_links_in_place_of_directories(void **state)
{
	make(state, "{}");
	assert_int_equal(rmdir(scratch_path(state, "sluice/run/sluice")), 0);
	assert_int_equal(rmdir(scratch_path(state, "sluice/run")), 0);
	assert_int_equal(symlink("/tmp", scratch_path(state, "sluice/run")), 0);
	refuse(state, -ELOOP, "cannot use run");
	unlink(scratch_path(state, "sluice/run"));
	unlink(scratch_path(state, "sluice/bin"));
	assert_int_equal(symlink("/evil", scratch_path(state, "sluice/bin")), 0);
	refuse(state, -EEXIST, "the link bin");
}

static void test_a_bundle_whose_root_is_a_link(void **state)
{
	assert_int_equal(mkdir(scratch_path(state, "elsewhere"), 0755), 0);
	assert_int_equal(symlink("elsewhere", scratch_path(state, "sluice")), 0);
	refuse(state, -ELOOP, "cannot use sluice");
	assert_int_equal(access(scratch_path(state, "elsewhere/etc"), F_OK), -1);
}

static void test_no_bundle(void **state)
{
	struct err err = { "" };

	assert_int_equal(machine_root_make("/no/such", "{}", 2, &err), -ENOENT);
	assert_string_equal(err.text, "bundle /no/such: No such file or directory");
}

/* --- what it is made of ---------------------------------------------------------------------- */

static void mkdirs(void **state, const char *const *names)
{
	for (; *names != NULL; names++)
		assert_int_equal(mkdir(scratch_path(state, *names), 0755), 0);
}

static void test_parts_of_an_image(void **state)
{
	static const char *const dirs[] = { "usr", "etc", "etc/alternatives", "var", "srv", "opt",
		"sluice", NULL };
	struct machine_parts parts;
	struct err err = { "" };

	mkdirs(state, dirs);
	assert_int_equal(symlink("usr/bin", scratch_path(state, "bin")), 0);
	scratch_write(state, "etc/ld.so.cache", "", 0644);
	scratch_write(state, "README", "", 0644);
	if (machine_parts_find(*state, &parts, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(parts.cache && parts.alternatives);
	assert_string_equal(parts.dirs[0], "opt");
	assert_string_equal(parts.dirs[1], "srv");
	assert_null(parts.dirs[2]);
	machine_parts_free(&parts);
}

static void test_parts_of_what_is_no_image(void **state)
{
	static const char *const unmerged[] = { "usr", "bin", NULL };
	struct machine_parts parts;
	struct err err = { "" };

	assert_int_equal(machine_parts_find(*state, &parts, &err), -ENOENT);
	assert_non_null(strstr(err.text, "has no directory usr"));
	mkdirs(state, unmerged);
	assert_int_equal(machine_parts_find(*state, &parts, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "/bin is no link to usr/bin"));
	assert_int_equal(machine_parts_find("/no/such", &parts, &err), -ENOENT);
}

static void test_parts_of_the_node(void **state)
{
	struct machine_parts parts;
	struct err err = { "" };

	assert_int_equal(machine_parts_find("", &parts, &err), 0);
	assert_int_equal(parts.cache, access("/etc/ld.so.cache", F_OK) == 0);
	assert_int_equal(parts.kvm, access("/dev/kvm", F_OK) == 0);
	assert_null(parts.dirs);
	machine_parts_free(&parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_new_one, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			test_over_an_older_one, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			test_nothing_is_followed, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			test_links_in_place_of_directories, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			test_a_bundle_whose_root_is_a_link, scratch_open, scratch_close),
		cmocka_unit_test(test_no_bundle),
		cmocka_unit_test_setup_teardown(
			test_parts_of_an_image, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			test_parts_of_what_is_no_image, scratch_open, scratch_close),
		cmocka_unit_test(test_parts_of_the_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
