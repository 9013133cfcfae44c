/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/process/remove_tree.h"
#include "launcher/run/vm_dir.h"
#include "tests/unit/scratch.h"

static struct vm_paths paths_of(void **state)
{
	struct vm_paths paths;

	assert_int_equal(vm_paths_make(&paths, scratch_path(state, "run"), "vm0", NULL), 0);
	return paths;
}

static struct vm_dir claim(const struct vm_paths *paths)
{
	struct vm_dir dir;
	struct err err = { "" };

	if (vm_dir_claim(paths, &dir, &err) < 0)
		fail_msg("%s", err.text);
	return dir;
}

static void refuse(const struct vm_paths *paths, int code, const char *why)
{
	struct vm_dir dir;
	struct err err = { "" };

	assert_int_equal(vm_dir_claim(paths, &dir, &err), code);
	if (strstr(err.text, why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, err.text);
	assert_int_equal(dir.kept, -1);
	assert_int_equal(dir.alive, -1);
}

static bool exists(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void test_one_at_a_time(void **state)
{
	const struct vm_paths paths = paths_of(state);
	struct vm_dir dir = claim(&paths);

	for (int i = 0; i < 3; i++)
		refuse(&paths, -EBUSY, "a VM of this name is running (");
	vm_dir_release(&dir);
	scratch_write(state, "run/vm0/old", "", 0600);
	dir = claim(&paths);
	assert_false(exists(paths.dir, "old"));
	vm_dir_release(&dir);
}

static void test_not_ours(void **state)
{
	const struct vm_paths paths = paths_of(state);

	assert_int_equal(mkdir(paths.run_dir, 0755), 0);
	assert_int_equal(mkdir(paths.dir, 0755), 0);
	scratch_write(state, "run/vm0/letter", "", 0600);
	refuse(&paths, -ENOTEMPTY, "has files in it that are no VM's");
	assert_true(exists(paths.dir, "letter"));
}

/* sluice-vm has ended, and its keeper removes the directory: a moment later, or just then. Whoever
 * comes next has one that is there, and stays there. */
static void succeed(void **state, bool soon)
{
	const struct vm_paths paths = paths_of(state);
	struct vm_dir dir = claim(&paths);
	int status, ret;
	pid_t keeper;

	scratch_write(state, "run/vm0/old", "", 0600);
	keeper = fork();
	if (keeper == 0) {
		close(dir.alive);
		if (!soon)
			usleep(100000);
		_exit(remove_tree(paths.dir) != 0);
	}
	close(dir.kept);
	dir.kept = -1;
	/* Until the child has closed it, too, there seems to be somebody. */
	vm_dir_release(&dir);
	do
		ret = vm_dir_claim(&paths, &dir, NULL);
	while (ret == -EBUSY);
	assert_int_equal(ret, 0);
	assert_int_equal(waitpid(keeper, &status, 0), keeper);
	assert_int_equal(status, 0);
	assert_true(exists(paths.dir, ".sluice"));
	assert_false(exists(paths.dir, "old"));
	refuse(&paths, -EBUSY, "a VM of this name is running (");
	vm_dir_release(&dir);
}

static void test_successor(void **state)
{
	succeed(state, false);
	for (int i = 0; i < 50; i++)
		succeed(state, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_at_a_time, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(test_not_ours, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(test_successor, scratch_open, scratch_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
