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

#include "launcher/image/modules_dep.h"

static struct modules_dep *dep;
static char **files;
static struct err err;

static int teardown(void **state)
{
	modules_dep_free(dep);
	dep = NULL;
	free(files);
	files = NULL;
	return 0;
}

static int parse(const char *text, const char *builtin)
{
	err.text[0] = '\0';
	return modules_dep_parse(text, strlen(text), builtin, strlen(builtin), &dep, &err);
}

static int order(const char *a, const char *b)
{
	const char *const names[] = { a, b, NULL };

	return modules_dep_order(dep, names, &files, &err);
}

static void assert_files(const char *expected)
{
	char text[1024] = "";

	for (size_t i = 0; files[i] != NULL; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			files[i]);
	assert_string_equal(text, expected);
}

/* depmod's own: all that a module needs, itself needed ones last. */
static const char depmod[] =
	"k/fs/fuse/fuse.ko:\n"
	"k/fs/fuse/virtiofs.ko: k/d/virtio.ko k/d/virtio_ring.ko k/fs/fuse/fuse.ko\n"
	"k/d/virtio.ko: k/d/virtio_ring.ko\n"
	"k/d/virtio_ring.ko:\n"
	"k/net/snd-thing.ko.xz: k/d/virtio.ko k/d/virtio_ring.ko\n";

static void test_needed_come_first(void **state)
{
	assert_int_equal(parse(depmod, ""), 0);
	assert_int_equal(order("virtiofs", NULL), 0);
	assert_files("k/d/virtio_ring.ko k/d/virtio.ko k/fs/fuse/fuse.ko k/fs/fuse/virtiofs.ko");
}

static void test_each_once(void **state)
{
	assert_int_equal(parse(depmod, ""), 0);
	assert_int_equal(order("snd_thing", "virtiofs"), 0);
	assert_files("k/d/virtio_ring.ko k/d/virtio.ko k/net/snd-thing.ko.xz k/fs/fuse/fuse.ko "
		     "k/fs/fuse/virtiofs.ko");
}

static void test_dash_is_underscore(void **state)
{
	assert_int_equal(parse(depmod, ""), 0);
	assert_int_equal(order("virtio-ring", NULL), 0);
	assert_files("k/d/virtio_ring.ko");
}

static void test_builtin_has_no_file(void **state)
{
	assert_int_equal(parse(depmod, "k/fs/ext4/ext4.ko\nk/fs/mbcache.ko\n"), 0);
	assert_int_equal(order("ext4", "fuse"), 0);
	assert_files("k/fs/fuse/fuse.ko");
}

static void test_optional_may_be_missing(void **state)
{
	assert_int_equal(parse(depmod, ""), 0);
	assert_int_equal(order("?fuse", "?button"), 0);
	assert_files("k/fs/fuse/fuse.ko");
}

static void test_missing_is_named(void **state)
{
	assert_int_equal(parse(depmod, ""), 0);
	assert_int_equal(order("fuse", "fus"), -ENOENT);
	assert_non_null(strstr(err.text, "fus:"));
	assert_int_equal(order("virtiofs.ko", NULL), -ENOENT);
	assert_int_equal(order("", NULL), -ENOENT);
	assert_null(files);
}

static void test_nothing_wanted(void **state)
{
	assert_int_equal(parse("", ""), 0);
	assert_int_equal(order(NULL, NULL), 0);
	assert_files("");
}

static void test_needs_what_is_not_there(void **state)
{
	assert_int_equal(parse("a.ko: b.ko\n", ""), 0);
	assert_int_equal(order("a", NULL), -ENOENT);
	assert_non_null(strstr(err.text, "b.ko"));
}

static void test_cycle(void **state)
{
	assert_int_equal(parse("a.ko: b.ko\nb.ko: c.ko\nc.ko: a.ko\nd.ko: d.ko\n", ""), 0);
	assert_int_equal(order("a", NULL), -ELOOP);
	assert_int_equal(order("d", NULL), -ELOOP);
}

static void test_too_deep(void **state)
{
	enum { N = MODULES_DEP_DEPTH_MAX + 10 };
	char text[N * 32] = "";

	for (int i = 0; i < N; i++)
		snprintf(text + strlen(text), 32, "m%d.ko: m%d.ko\n", i, i + 1);
	snprintf(text + strlen(text), 32, "m%d.ko:\n", N);
	assert_int_equal(parse(text, ""), 0);
	assert_int_equal(order("m0", NULL), -ELOOP);
	assert_int_equal(order("m20", NULL), 0);
}

static void test_no_last_newline(void **state)
{
	assert_int_equal(parse("\n\na.ko:   b.ko\n\nb.ko:", ""), 0);
	assert_int_equal(order("a", NULL), 0);
	assert_files("b.ko a.ko");
}

static void test_strange_lines_are_refused(void **state)
{
	static const char *const bad[] = { "a.ko\n", ":\n", ": a.ko\n", "/a.ko:\n", "../a.ko:\n",
		"k/../../a.ko:\n", "k//a.ko:\n", "k/./a.ko:\n", "a.ko/:\n", "a.txt:\n", ".ko:\n",
		"a.kosher:\n", "a.ko.:\n", "a b.ko:\n", "a.ko: ../b.ko\n", "a.ko: b\n",
		"a.ko:\tb.ko\n", "a\x01.ko:\n", "a.ko: b.ko\r\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i], "") != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(err.text, "modules.dep, entry 1"));
	}
	assert_int_equal(parse("a.ko:\n", "b\n"), -EINVAL);
	assert_non_null(strstr(err.text, "modules.builtin"));
}

static void test_nul_is_refused(void **state)
{
	assert_int_equal(modules_dep_parse("a\0.ko:\n", 7, "", 0, &dep, &err), -EINVAL);
}

static void test_no_directory(void **state)
{
	assert_int_equal(modules_dep_read("/nowhere", &dep, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/modules.dep"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_needed_come_first, teardown),
		cmocka_unit_test_teardown(test_each_once, teardown),
		cmocka_unit_test_teardown(test_dash_is_underscore, teardown),
		cmocka_unit_test_teardown(test_builtin_has_no_file, teardown),
		cmocka_unit_test_teardown(test_optional_may_be_missing, teardown),
		cmocka_unit_test_teardown(test_missing_is_named, teardown),
		cmocka_unit_test_teardown(test_nothing_wanted, teardown),
		cmocka_unit_test_teardown(test_needs_what_is_not_there, teardown),
		cmocka_unit_test_teardown(test_cycle, teardown),
		cmocka_unit_test_teardown(test_too_deep, teardown),
		cmocka_unit_test_teardown(test_no_last_newline, teardown),
		cmocka_unit_test_teardown(test_strange_lines_are_refused, teardown),
		cmocka_unit_test_teardown(test_nul_is_refused, teardown),
		cmocka_unit_test_teardown(test_no_directory, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
