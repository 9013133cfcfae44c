/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "guest-agent/machine.h"

static const char spec[] =
	"{ \"version\": 1, \"network\": { \"interfaces\": [], \"addresses\": [], "
	"\"routes\": [], \"rules\": [], \"neighbours\": [] }, "
	"\"root\": { \"kind\": \"initramfs\", \"source\": \"/image\" }, "
	"\"mounts\": [], \"process\": {} }";

static struct machine machine;
static struct err err;

static int decode(const char *text, const char *argv, size_t argv_len, const char *env, size_t len)
{
	const struct machine_files files = { .spec = (char *)text,
		.spec_len = text != NULL ? strlen(text) : 0,
		.argv = (char *)argv,
		.argv_len = argv_len,
		.env = (char *)env,
		.env_len = len };

	return machine_decode(&files, &machine, &err);
}

static void test_vectors(void **state)
{
	if (decode(spec, "sh\0-c\0\0a\n\377\0", 11, "A=b\0", 4) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(machine.argv[0], "sh");
	assert_string_equal(machine.argv[1], "-c");
	assert_string_equal(machine.argv[2], "");
	assert_string_equal(machine.argv[3], "a\n\377");
	assert_null(machine.argv[4]);
	assert_string_equal(machine.env[0], "A=b");
	assert_null(machine.env[1]);
	machine_free(&machine);
}

static void test_no_argv_is_none(void **state)
{
	assert_int_equal(decode(spec, NULL, 0, NULL, 0), 0);
	assert_null(machine.argv);
	assert_null(machine.env[0]);
	machine_free(&machine);
	assert_int_equal(decode(spec, "", 0, NULL, 0), 0);
	assert_null(machine.argv);
	machine_free(&machine);
}

static void test_strings_without_end(void **state)
{
	assert_int_equal(decode(spec, "sh\0-c", 5, NULL, 0), -EINVAL);
	assert_non_null(strstr(err.text, MACHINE_ARGV_PATH));
	assert_int_equal(decode(spec, "sh\0", 3, "A", 1), -EINVAL);
	assert_non_null(strstr(err.text, MACHINE_ENV_PATH));
	assert_null(machine.argv);
}

static void test_spec(void **state)
{
	assert_int_equal(decode(NULL, "sh\0", 3, NULL, 0), -ENOENT);
	assert_non_null(strstr(err.text, "no machine spec"));
	assert_int_equal(decode("{", "sh\0", 3, NULL, 0), -EINVAL);
	assert_non_null(strstr(err.text, "machine spec: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_no_argv_is_none),
		cmocka_unit_test(test_strings_without_end),
		cmocka_unit_test(test_spec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
