/* SPDX-License-Identifier: BSD-3-Clause */

/* Roots with symlinks that would lead elsewhere: wherever they point, it is below the root. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/mount_point.h"

static char dir[64], root_path[80];
static int root = -1;
static struct err err;

/* Below the root, "" of which is $R; $D is the directory above it. */
static void shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int setup(void **state)
{
	strcpy(dir, "/tmp/test-mount-point-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(root_path, sizeof(root_path), "%s/root", dir);
	setenv("D", dir, 1);
	setenv("R", root_path, 1);
	shell("mkdir $R $R/etc $D/outside; echo secret >$D/outside/file; find $D | grep -v "
	      "\"^$R/\" | sort >$D.before");
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	return 0;
}

static int teardown(void **state)
{
	close(root);
	shell("rm -rf $D $D.before");
	return 0;
}

/* Where it landed: a path below the root. */
static void assert_lands(const char *path, bool directory, const char *expected)
{
	char link[64], landed[PATH_MAX] = "";
	int fd = -1;

	if (mount_point_open(root, path, directory, &fd, &err) != 0)
		fail_msg("%s", err.text);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	assert_true(readlink(link, landed, sizeof(landed) - 1) > 0);
	close(fd);
	if (strncmp(landed, root_path, strlen(root_path)) != 0)
		fail_msg("%s landed at %s", path, landed);
	assert_string_equal(landed + strlen(root_path), expected);
}

static void assert_fails(const char *path, bool directory, int expected)
{
	int fd = -1;

	assert_int_equal(mount_point_open(root, path, directory, &fd, &err), expected);
	assert_int_equal(fd, -1);
	assert_non_null(strstr(err.text, "mount point"));
}

static void assert_nothing_outside(void)
{
	shell("find $D | grep -v \"^$R/\" | sort | cmp - $D.before");
	shell("[ \"$(cat $D/outside/file)\" = secret ]");
}

static void test_what_is_there(void **state)
{
	shell("mkdir -p $R/a/b; : >$R/a/file");
	assert_lands("/a/b", true, "/a/b");
	assert_lands("a//b/", true, "/a/b");
	assert_lands("/a/./b/../file", false, "/a/file");
	assert_lands("/", true, "");
	assert_lands("/a/../../../..", true, "");
}

static void test_missing_is_made(void **state)
{
	assert_lands("/srv/data/one", true, "/srv/data/one");
	assert_lands("/srv/data/two/file", false, "/srv/data/two/file");
	shell("[ $(stat -c %a $R/srv/data/one) = 755 ] && "
	      "[ \"$(stat -c '%a %s' $R/srv/data/two/file)\" = '644 0' ]");
	assert_lands("/new/../other", true, "/other");
}

static void test_absolute_link_begins_at_the_root(void **state)
{
	char expected[PATH_MAX];

	shell("ln -s /etc $R/data; ln -s $D/outside $R/out");
	assert_lands("/data", true, "/etc");
	assert_lands("/data/conf.d", true, "/etc/conf.d");
	snprintf(expected, sizeof(expected), "%s/outside/file", dir);
	assert_lands("/out/file", false, expected);
	assert_nothing_outside();
}

static void test_steps_back_stop_at_the_root(void **state)
{
	shell("ln -s ../../.. $R/a; ln -s ../../../outside $R/b; mkdir -p $R/x/y; "
	      "ln -s ../../../../outside/file $R/x/y/c");
	assert_lands("/a", true, "");
	assert_lands("/a/etc", true, "/etc");
	assert_lands("/b/d", true, "/outside/d");
	assert_lands("/x/y/c", false, "/outside/file");
	shell("[ ! -s $R/outside/file ]");
	assert_nothing_outside();
}

static void test_dangling_link_is_made_true(void **state)
{
	shell("ln -s ../run/systemd/resolve/stub.conf $R/etc/resolv.conf; ln -s /var/lib/x $R/d; "
	      "ln -s ../../../../../../../tmp/escape/e $R/e");
	assert_lands("/etc/resolv.conf", false, "/run/systemd/resolve/stub.conf");
	assert_lands("/d/deep", true, "/var/lib/x/deep");
	assert_lands("/e", true, "/tmp/escape/e");
	assert_int_equal(access("/tmp/escape", F_OK), -1);
	assert_nothing_outside();
}

static void test_links_to_links(void **state)
{
	shell("ln -s /two $R/one; ln -s three/../four $R/two; ln -s /etc $R/four");
	assert_lands("/one", true, "/etc");
	shell("ln -s loop $R/loop; ln -s /pong $R/ping; ln -s ping $R/pong");
	assert_fails("/loop", true, -ELOOP);
	assert_fails("/ping/x", true, -ELOOP);
}

static void test_link_that_grows(void **state)
{
	shell("ln -s "
	      "grow/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
	      "$R/grow");
	assert_fails("/grow", true, -ELOOP);
}

static void test_kinds_are_told_apart(void **state)
{
	shell(": >$R/file; mkdir $R/dir; mkfifo $R/fifo; ln -s file $R/link");
	assert_fails("/file", true, -ENOTDIR);
	assert_fails("/link", true, -ENOTDIR);
	assert_fails("/dir", false, -EISDIR);
	assert_fails("/file/below", true, -ENOTDIR);
	assert_fails("/fifo/below", false, -ENOTDIR);
	assert_lands("/link", false, "/file");
}

static void test_too_long(void **state)
{
	char path[PATH_MAX + 10];

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_fails(path, true, -ENAMETOOLONG);
	path[300] = '\0';
	assert_fails(path, true, -ENAMETOOLONG);
	for (size_t i = 0; i < PATH_MAX - 200; i++)
		path[i] = i % 100 == 0 ? '/' : 'a';
	path[PATH_MAX - 200] = '\0';
	assert_lands(path, true, path);
}

static void test_no_descriptor_is_left(void **state)
{
	int before = dup(root), after;

	close(before);
	test_too_long(state);
	shell("ln -s loop $R/loop");
	assert_fails("/loop", true, -ELOOP);
	after = dup(root);
	close(after);
	assert_int_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_is_made, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_absolute_link_begins_at_the_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_steps_back_stop_at_the_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dangling_link_is_made_true, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_to_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_that_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kinds_are_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptor_is_left, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
