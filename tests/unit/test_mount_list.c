/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "guest-agent/mount_list.h"

static void assert_point(const char *line, const char *expected)
{
	char copy[256];
	char *point = mount_list_point(strcpy(copy, line));

	if (expected == NULL)
		assert_null(point);
	else
		assert_string_equal(point, expected);
}

static void test_point(void **state)
{
	assert_point("22 1 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw", "/sys");
	assert_point("22 1 0:21 / / rw - ext4 /dev/root rw", "/");
	assert_point("1 2 3 4 /a\\040b\\134\\011c\\012 rw", "/a b\\\t"
							    "c\n");
}

static void test_broken_escapes_stay(void **state)
{
	assert_point("1 2 3 4 /a\\04 rw", "/a\\04");
	assert_point("1 2 3 4 /a\\ rw", "/a\\");
	assert_point("1 2 3 4 /a\\089 rw", "/a\\089");
}

static void test_not_a_line(void **state)
{
	assert_point("", NULL);
	assert_point("1 2 3 4", NULL);
	assert_point("1 2 3 4 /a", NULL);
	assert_point("1 2 3 4 a rw", NULL);
}

struct seen {
	bool root, dev, dev_first;
};

static void look(void *context, const char *path)
{
	struct seen *seen = context;

	if (strcmp(path, "/dev") == 0)
		seen->dev = true;
	if (strncmp(path, "/dev/", 5) == 0 && seen->dev)
		seen->dev_first = true;
	if (strcmp(path, "/") == 0 || strcmp(path, "/proc") == 0)
		seen->root = true;
}

/* Of this machine: what is mounted below /dev was mounted after it. */
static void test_last_first(void **state)
{
	struct seen seen = { false };

	assert_int_equal(mount_list_each_last_first(look, &seen), 0);
	assert_true(seen.dev);
	assert_false(seen.dev_first);
	assert_false(seen.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_point),
		cmocka_unit_test(test_broken_escapes_stay),
		cmocka_unit_test(test_not_a_line),
		cmocka_unit_test(test_last_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
