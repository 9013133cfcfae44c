/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/annotation.h"

struct seen {
	unsigned n;
	char text[512]; /* KEY>VALUE; ... */
	int answer;
};

static int note(void *arg, const char *key, const char *value)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	seen->n++;
	snprintf(seen->text + len, sizeof(seen->text) - len, "%s>%s;", key, value);
	return seen->answer;
}

static void check(const char *text, const char *expected)
{
	struct seen seen = { 0 };
	struct err err = { "" };

	if (annotation_each(text, strlen(text), note, &seen, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(seen.text, expected);
}

static void refuse(const char *text, size_t len, const char *line)
{
	struct seen seen = { 0 };
	struct err err = { "" };

	assert_int_equal(annotation_each(text, len, note, &seen, &err), -EINVAL);
	assert_non_null(strstr(err.text, line));
}

static void test_lines(void **state)
{
	check("", "");
	check("a=\"b\"\n", "a>b;");
	check("a=\"b\"", "a>b;");
	check("a=\"\"\n\nsluice.dev/vm=\"true\"\n", "a>;sluice.dev/vm>true;");
	check("k=\"x=y\"", "k>x=y;");
}

/* As strconv.Quote() of Go writes them. */
static void test_quoting(void **state)
{
	check("k=\"\\\"q\\\" \\\\ \\n\\t\\a\\b\\f\\r\\v\"", "k>\"q\" \\ \n\t\a\b\f\r\v;");
	check("k=\"\\x01\\u00e9\\U0001f600\\u20ac\"",
		"k>\x01\xc3\xa9\xf0\x9f\x98\x80\xe2\x82\xac;");
	check("k=\"\xc3\xa9\"", "k>\xc3\xa9;");
}

static void test_refusals(void **state)
{
	static const char *const bad[] = { "a", "a=b", "=\"b\"", "a=\"b", "a=\"b\"c", "a=\"\\q\"",
		"a=\"\\x1\"", "a=\"\\u12\"", "a=\"\\ud800\"", "a=\"\\U00110000\"", "a=\"\\x00\"",
		"a=\"\\u0000\"", "a=\"\\", "a=\"\\\"" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(bad[i], strlen(bad[i]), "line 1: want KEY=\"VALUE\"");
	refuse("a=\"b\"\n\nbad\n", 11, "line 3");
	refuse("a=\"\0\"", 5, "line 1");
	refuse("a\0b=\"\"", 6, "line 1");
}

static void test_the_walk_ends_where_told(void **state)
{
	struct seen seen = { .answer = -EPERM };

	assert_int_equal(annotation_each("a=\"1\"\nb=\"2\"\n", 12, note, &seen, NULL), -EPERM);
	assert_int_equal(seen.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_the_walk_ends_where_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
