/* SPDX-License-Identifier: BSD-3-Clause */

/* Files of JSON: what is read, what is refused, and how they are replaced. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/oci/oci_file.h"
#include "tests/unit/scratch.h"

/* What is written of a text that is read. */
static void check_kept(const char *text, const char *expected)
{
	struct err err = { "" };
	json_object *value;

	if (oci_json_parse(text, strlen(text), &value, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(json_object_to_json_string_ext(
				    value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
		expected);
	json_object_put(value);
}

static void test_kept(void **state)
{
	static const char *const same[] = { "{\"soft\":18446744073709551615}",
		"{\"a\":-9223372036854775808,\"b\":9223372036854775807}", "{}", "[]",
		"{\"a/b\":\"c/d\",\"e\":[1,2.5,true,null]}", "{\"a\":{\"a\":{\"a\":1}},\"b\":1}",
		"{\"a\":\":\",\":\":1}", "{\"a\":\"\\\\u0000\"}", "{\"a\":\"\\\":\",\"b\":0}",
		"{\"a\":\"\xc3\xa9\"}", "1" };

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		check_kept(same[i], same[i]);
	check_kept(" {\n \"a\" : 1 }\n\n", "{\"a\":1}");
	check_kept("\"\\u00e9\"", "\"\xc3\xa9\"");
}

static void check_refused(const char *text, size_t len, const char *why)
{
	struct err err = { "" };
	json_object *value;

	if (oci_json_parse(text, len, &value, &err) >= 0)
		fail_msg("%s was read", text);
	assert_null(value);
	if (strstr(err.text, why) == NULL)
		fail_msg("%s: %s", text, err.text);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "end of data" },
		{ "{", "end of data" },
		{ "{\"a\":1", "end of data" },
		{ "{} {}", "byte" },
		{ "{}x", "byte" },
		{ "{}\n\n,", "byte" },
		{ "{'a':1}", "not JSON" },
		{ "{'\":\"':1,\"b\":2}", "not JSON" },
		{ "{\"a\":1,}", "byte" },
		{ "[1,]", "byte" },
		{ "{a:1}", "byte" },
		{ "{\"a\":NaN}", "not JSON" },
		{ "/* */{}", "byte" },
		{ "{\"a\":1,\"a\":2}", "same name" },
		{ "{\"x\":[{\"a\":1,\"b\":{},\"a\":2}]}", "same name" },
		{ "{\"a\":1,\"\\u0061\":2}", "same name" },
		{ "{\"a\":\"b\\u0000c\"}", "NUL" },
		{ "{\"a\\u0000b\":1}", "NUL" },
		{ "{\"a\":\"\xc3(\"}", "byte" },
		{ "{\"a\":\"\xff\"}", "byte" },
	};
	char deep[2 * 40];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_refused(rows[i].text, strlen(rows[i].text), rows[i].why);
	check_refused("{}\0{}", 5, "byte");
	memset(deep, '[', 40);
	memset(deep + 40, ']', 40);
	check_refused(deep, sizeof(deep), "deep");
}

/* --- files ----------------------------------------------------------------------------------- */

static void check_unreadable(const char *path, const char *why)
{
	struct err err = { "" };
	json_object *value;

	assert_true(oci_file_read(path, &value, &err) < 0);
	assert_null(value);
	if (strncmp(err.text, path, strlen(path)) != 0 || strstr(err.text, why) == NULL)
		fail_msg("%s: %s", path, err.text);
}

static void test_not_plain(void **state)
{
	const char *pipe = scratch_path(state, "pipe"), *huge = scratch_path(state, "huge");

	assert_int_equal(mkfifo(pipe, 0600), 0);
	check_unreadable(pipe, "no plain file");
	check_unreadable("/dev/zero", "no plain file");
	check_unreadable(*state, "no plain file");
	check_unreadable(scratch_path(state, "none"), "No such file");
	scratch_write(state, "huge", "{}", 0600);
	assert_int_equal(truncate(huge, OCI_FILE_MAX + 1), 0);
	check_unreadable(huge, "too large");
	assert_int_equal(truncate(huge, 16), 0);
	check_unreadable(huge, "NUL");
}

static void test_replace(void **state)
{
	const char *path = scratch_path(state, "config.json");
	const char *left = scratch_path(state, "config.json.sluice");
	struct stat before, after;
	struct err err = { "" };
	json_object *value;

	scratch_write(state, "config.json", "{\"a\":18446744073709551615}", 0640);
	/* Of one that was killed. */
	scratch_write(state, "config.json.sluice", "{\"a\":", 0644);
	assert_int_equal(chown(path, 12, 34), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(oci_file_read(path, &value, &err), 0);
	json_object_object_add(value, "b", json_object_new_string("c"));
	assert_int_equal(oci_file_replace(path, value, &err), 0);
	json_object_put(value);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_int_equal(after.st_uid, 12);
	assert_int_equal(after.st_gid, 34);
	assert_int_not_equal(after.st_ino, before.st_ino);
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(oci_file_read(path, &value, &err), 0);
	assert_string_equal(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN),
		"{\"a\":18446744073709551615,\"b\":\"c\"}");
	json_object_put(value);
}

/* Whatever is in the way, the old file stays. */
static void test_cannot_replace(void **state)
{
	const char *path = scratch_path(state, "process.json");
	struct err err = { "" };
	json_object *value = json_object_new_object();

	assert_int_equal(oci_file_replace(scratch_path(state, "missing"), value, &err), -ENOENT);
	scratch_write(state, "process.json", "[1]", 0600);
	assert_int_equal(mkdir(scratch_path(state, "process.json.sluice"), 0700), 0);
	assert_true(oci_file_replace(path, value, &err) < 0);
	assert_non_null(strstr(err.text, path));
	json_object_put(value);
	assert_int_equal(oci_file_read(path, &value, &err), 0);
	assert_int_equal(json_object_array_length(value), 1);
	json_object_put(value);
}

static void test_create(void **state)
{
	const char *path = scratch_path(state, "container.json");
	json_object *value = json_object_new_object();
	struct err err = { "" };
	struct stat st;

	assert_int_equal(oci_file_create(path, 0600, value, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 2);
	assert_int_equal(oci_file_create(path, 0600, value, &err), -EEXIST);
	json_object_put(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_refused),
		cmocka_unit_test_setup_teardown(test_not_plain, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(test_replace, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(test_cannot_replace, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(test_create, scratch_open, scratch_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
