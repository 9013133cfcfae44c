/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "launcher/run/volume.h"

static struct volumes volumes;

static int teardown(void **state)
{
	volumes_free(&volumes);
	return 0;
}

static const struct volume *add(const char *text, bool tmpfs)
{
	struct err err = { "" };

	if (volumes_add(&volumes, text, tmpfs, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return &volumes.item[volumes.n - 1];
}

static void refuse(const char *text, bool tmpfs, const char *expected)
{
	struct err err = { "" };
	size_t n = volumes.n;

	assert_int_equal(volumes_add(&volumes, text, tmpfs, &err), -EINVAL);
	if (strstr(err.text, expected) == NULL)
		fail_msg("\"%s\" is not in: %s", expected, err.text);
	assert_int_equal(volumes.n, n);
}

static void test_volumes(void **state)
{
	const struct volume *v = add("/srv/data:/data", false);

	assert_string_equal(v->source, "/srv/data");
	assert_string_equal(v->destination, "/data");
	assert_false(v->readonly);
	assert_false(v->optional);
	v = add("/a:/b:ro,optional", false);
	assert_true(v->readonly);
	assert_true(v->optional);
	assert_false(add("/a:/b:ro,rw", false)->readonly);
	assert_true(add("/a:/b:nfs,ro", false)->nfs);
	assert_int_equal(volumes_count(&volumes, true), 1);
	assert_int_equal(volumes_count(&volumes, false), 3);
	assert_int_equal(volumes_count_required(&volumes, true), 1);
	assert_int_equal(volumes_count_required(&volumes, false), 2);
}

static void test_tmpfs(void **state)
{
	const struct volume *v = add("/tmp:size=64m,ro,mode=1777", true);

	assert_null(v->source);
	assert_string_equal(v->destination, "/tmp");
	assert_string_equal(v->options, "size=64m,mode=1777");
	assert_true(v->readonly);
	assert_null(add("/tmp", true)->options);
}

static void test_refusals(void **state)
{
	refuse("", false, "the source is no absolute path");
	refuse("/a", false, "the destination is no absolute path");
	refuse("data:/b", false, "\"data\": the source");
	refuse("/a:b", false, "\"b\": the destination");
	refuse("/a:/b:rx", false, "\"rx\": want ro, rw, optional or nfs");
	refuse("/a:/b:size=1m", false, "\"size=1m\"");
	refuse("/a:/b:", false, "\"\"");
	refuse("/a:exec", true, "\"exec\"");
	refuse("/a:nfs", true, "\"nfs\"");
	refuse("/a:size=", true, "\"size=\"");
}

static void test_too_many(void **state)
{
	while (volumes.n < VOLUMES_MAX)
		(void)add("/a:/b", false);
	assert_int_equal(volumes_add(&volumes, "/a:/b", false, NULL), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_volumes, teardown),
		cmocka_unit_test_teardown(test_tmpfs, teardown),
		cmocka_unit_test_teardown(test_refusals, teardown),
		cmocka_unit_test_teardown(test_too_many, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
