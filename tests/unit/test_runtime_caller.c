/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "launcher/oci/runtime_caller.h"

#define CMDLINE(text) text, sizeof(text)

static void check(const char *cmdline, size_t len, const char *expected)
{
	char name[RUNTIME_CALLER_NAME_MAX] = "";

	assert_int_equal(runtime_caller_parse(cmdline, len, name), expected != NULL);
	if (expected != NULL)
		assert_string_equal(name, expected);
}

static void test_conmon(void **state)
{
	check(CMDLINE("/usr/bin/conmon\0--api-version\0001\0-c\0abc\0-u\0abc\0-r\0/usr/bin/"
		      "sluice-runtime\0-b\0/b\0-p\0/p\0-n\0web-app\0--exit-dir\0/e\0"
		      "--exit-command-arg\0-n\0--exit-command-arg\0other"),
		"web-app");
	check(CMDLINE("conmon\0--name=a"), "a");
	check(CMDLINE("conmon\0--name\0a"), "a");
	check(CMDLINE("conmon\0-n\0a\0-n\0b"), "a");
}

static void test_others(void **state)
{
	char longest[8 + 3 + RUNTIME_CALLER_NAME_MAX + 1] = "conmon\0-n";

	check(CMDLINE("/usr/bin/bash\0-n\0a"), NULL);
	check(CMDLINE("/conmon/sh\0-n\0a"), NULL);
	check(CMDLINE("conmon"), NULL);
	check(CMDLINE("conmon\0-n"), NULL);
	check(CMDLINE("conmon\0-n\0"), NULL);
	check(CMDLINE("conmon\0--name="), NULL);
	check("conmon\0-n\0cut", 12, NULL);
	check("", 0, NULL);
	check("\0", 1, NULL);
	memset(longest + 10, 'x', RUNTIME_CALLER_NAME_MAX);
	check(longest, 10 + RUNTIME_CALLER_NAME_MAX + 1, NULL);
	longest[10 + RUNTIME_CALLER_NAME_MAX - 1] = '\0';
	check(longest, 10 + RUNTIME_CALLER_NAME_MAX, longest + 10);
}

/* Ours is none. */
static void test_own_parent(void **state)
{
	char name[RUNTIME_CALLER_NAME_MAX];

	assert_false(runtime_caller_name(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conmon),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_own_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
