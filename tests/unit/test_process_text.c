/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>

#include <linux/capability.h>

#include "config/process_text.h"

#define ALL    ((UINT64_C(2) << CAP_CHECKPOINT_RESTORE) - 1)
#define CAP(c) (UINT64_C(1) << (c))

static void refused(int ret, const struct err *err, const char *message)
{
	assert_true(ret < 0);
	assert_string_equal(err->text, message);
}

static void refused_umask(const char *text)
{
	struct err err = { "" };
	uint32_t value = 1;

	assert_true(process_text_umask(text, &value, &err) < 0);
	assert_non_null(strstr(err.text, "must be octal"));
	assert_int_equal(value, 1);
}

static void test_umask(void **state)
{
	uint32_t value;

	assert_int_equal(process_text_umask("0", &value, NULL), 0);
	assert_int_equal(value, 0);
	assert_int_equal(process_text_umask("027", &value, NULL), 0);
	assert_int_equal(value, 027);
	assert_int_equal(process_text_umask("0777", &value, NULL), 0);
	assert_int_equal(value, 0777);
	value = 1;
	refused_umask("");
	refused_umask("8");
	refused_umask("1000");
	refused_umask("00022");
	refused_umask("-1");
	refused_umask(" 22");
}

static void test_rlimits(void **state)
{
	struct process_spec spec = { 0 };

	assert_int_equal(
		process_text_rlimits(
			"nofile=1024:4096,CORE=0,RLIMIT_NPROC=-1,memlock=5:unlimited", &spec, NULL),
		0);
	assert_true(spec.has_rlimits);
	assert_int_equal(spec.n_rlimits, 4);
	assert_int_equal(spec.rlimits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(spec.rlimits[0].soft, 1024);
	assert_int_equal(spec.rlimits[0].hard, 4096);
	assert_int_equal(spec.rlimits[1].resource, RLIMIT_CORE);
	assert_int_equal(spec.rlimits[1].soft + spec.rlimits[1].hard, 0);
	assert_true(spec.rlimits[2].soft == RLIM64_INFINITY);
	assert_true(spec.rlimits[2].hard == RLIM64_INFINITY);
	assert_int_equal(spec.rlimits[3].soft, 5);
	assert_true(spec.rlimits[3].hard == RLIM64_INFINITY);
}

static void refused_rlimits(const char *text, const char *message)
{
	struct process_spec spec = { 0 };
	struct err err = { "" };

	refused(process_text_rlimits(text, &spec, &err), &err, message);
}

static void test_refused_rlimits(void **state)
{
	refused_rlimits("", "\"\" is not a limit (such as nofile)");
	refused_rlimits("files=1", "\"files\" is not a limit (such as nofile)");
	refused_rlimits("nofile", "nofile: want nofile=SOFT[:HARD] in numbers, or -1");
	refused_rlimits("nofile=", "nofile: want nofile=SOFT[:HARD] in numbers, or -1");
	refused_rlimits("nofile=1:", "nofile: want nofile=SOFT[:HARD] in numbers, or -1");
	refused_rlimits("nofile=1:2:3", "nofile: want nofile=SOFT[:HARD] in numbers, or -1");
	refused_rlimits("nofile=-2", "nofile: want nofile=SOFT[:HARD] in numbers, or -1");
	refused_rlimits(
		"nofile=99999999999999999999", "nofile: want nofile=SOFT[:HARD] in numbers, or -1");
	refused_rlimits("nofile=2:1", "nofile: the soft limit is above the hard one");
	refused_rlimits("nofile=-1:1", "nofile: the soft limit is above the hard one");
	refused_rlimits("cpu=1,core=0,cpu=1", "cpu: is there twice");
	refused_rlimits("as=1,core=1,cpu=1,data=1,fsize=1,locks=1,memlock=1,msgqueue=1,nice=1,"
			"nofile=1,nproc=1,rss=1,rtprio=1,rttime=1,sigpending=1,stack=1,as=2",
		"as: is there twice");
}

static struct process_spec capable(const char *add, const char *drop)
{
	struct process_spec spec = { 0 };
	struct err err = { "" };

	if (process_text_capabilities(add, drop, &spec, &err) < 0)
		fail_msg("%s", err.text);
	return spec;
}

static void test_capabilities(void **state)
{
	struct process_spec spec = capable("", "");

	assert_false(spec.has_capabilities);
	spec = capable("net_raw", "");
	assert_false(spec.has_capabilities);
	assert_true(spec.ambient == CAP(CAP_NET_RAW));
	spec = capable("", "cap_net_raw,SYS_ADMIN");
	assert_true(spec.has_capabilities && spec.ambient == 0);
	assert_true(spec.capabilities == (ALL & ~(CAP(CAP_NET_RAW) | CAP(CAP_SYS_ADMIN))));
	spec = capable("CHOWN,CAP_KILL", "all");
	assert_true(spec.has_capabilities);
	assert_true(spec.capabilities == (CAP(CAP_CHOWN) | CAP(CAP_KILL)));
	assert_true(spec.ambient == spec.capabilities);
	spec = capable("", "ALL");
	assert_true(spec.has_capabilities && spec.capabilities == 0 && spec.ambient == 0);
	spec = capable("ALL", "SYS_ADMIN");
	assert_true(spec.capabilities == (ALL & ~CAP(CAP_SYS_ADMIN)));
	assert_true(spec.ambient == spec.capabilities);
}

static void refused_capabilities(const char *add, const char *drop, const char *message)
{
	struct process_spec spec = { 0 };
	struct err err = { "" };

	refused(process_text_capabilities(add, drop, &spec, &err), &err, message);
}

static void test_refused_capabilities(void **state)
{
	refused_capabilities(
		"FLY", "", "cap-add: \"FLY\" is not a capability (such as NET_RAW, or ALL)");
	refused_capabilities(
		"", "CHOWN,", "cap-drop: \"\" is not a capability (such as NET_RAW, or ALL)");
	refused_capabilities("CHOWN", "chown", "cap-add: CAP_CHOWN is in cap-drop as well");
	refused_capabilities("ALL", "ALL", "cap-add: ALL is in cap-drop as well");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_umask),
		cmocka_unit_test(test_rlimits),
		cmocka_unit_test(test_refused_rlimits),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_refused_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
