/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/process/remove_tree.h"

/* In a mount namespace of the test's own, on a tmpfs with two directories: ours and a bystander's.
 */

#define ROOT   "/tmp"
#define OURS   ROOT "/ours"
#define THEIRS ROOT "/theirs"

static void shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int setup(void **state)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("test", ROOT, "tmpfs", 0, NULL) < 0)
		fail_msg("mount: %s (tests need root)", strerror(errno));
	return 0;
}

static int fill(void **state)
{
	shell("umount " OURS "/* 2>/dev/null; rm -rf " OURS " " THEIRS "; mkdir -p " OURS " " THEIRS
	      "; echo kept >" THEIRS "/file");
	return 0;
}

static void test_everything_goes(void **state)
{
	shell("mkdir -p " OURS "/a/b/c; touch " OURS "/a/b/file " OURS "/x; mkfifo " OURS "/fifo; "
	      "seq -f " OURS "/a/n%.0f 3000 | xargs touch; chmod 000 " OURS "/a/b");
	assert_int_equal(remove_tree(OURS), 0);
	assert_false(exists(OURS));
	assert_int_equal(remove_tree(OURS), 0);
}

static void test_file(void **state)
{
	assert_int_equal(remove_tree(THEIRS "/file"), 0);
	assert_false(exists(THEIRS "/file"));
}

static void test_links_are_not_followed(void **state)
{
	shell("ln -s " THEIRS " " OURS "/dir; ln -s ../theirs/file " OURS "/file; ln -s / " OURS
	      "/root");
	assert_int_equal(remove_tree(OURS), 0);
	assert_false(exists(OURS));
	assert_true(exists(THEIRS "/file"));
	shell("ln -s " THEIRS " " OURS);
	assert_int_equal(remove_tree(OURS), 0);
	assert_true(exists(THEIRS "/file"));
}

/* A volume bound from the same file system, a file that is bound, and a mount of another one. */
static void test_mounts_are_not_entered(void **state)
{
	shell("mkdir " OURS "/bound " OURS "/other " OURS "/sub; touch " OURS "/sub/file; "
	      "mount --bind " THEIRS " " OURS "/bound; mount -t tmpfs x " OURS "/other; "
	      "touch " OURS "/other/kept");
	assert_int_equal(remove_tree(OURS), -EXDEV);
	assert_true(exists(THEIRS "/file"));
	assert_true(exists(OURS "/other/kept"));
	/* All else is gone. */
	assert_false(exists(OURS "/sub"));
}

static void test_bound_file_stays(void **state)
{
	shell("mkdir " OURS "/x; touch " OURS "/x/bound; mount --bind " THEIRS "/file " OURS
	      "/x/bound");
	assert_int_equal(remove_tree(OURS), -EBUSY);
	shell("grep -q kept " THEIRS "/file; umount " OURS "/x/bound");
}

static void test_depth_is_limited(void **state)
{
	char path[4096] = OURS;

	for (int i = 0; i < REMOVE_TREE_DEPTH_MAX + 1; i++) {
		strcat(path, "/d");
		assert_int_equal(mkdir(path, 0700), 0);
	}
	assert_int_equal(remove_tree(OURS), -ELOOP);
	assert_int_equal(remove_tree(OURS "/d"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_everything_goes, fill),
		cmocka_unit_test_setup(test_file, fill),
		cmocka_unit_test_setup(test_links_are_not_followed, fill),
		cmocka_unit_test_setup(test_mounts_are_not_entered, fill),
		cmocka_unit_test_setup(test_bound_file_stays, fill),
		cmocka_unit_test_setup(test_depth_is_limited, fill),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
