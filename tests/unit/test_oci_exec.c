/* SPDX-License-Identifier: BSD-3-Clause */

/* process.json as podman and containerd write it, and what becomes of it. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/oci/oci_exec.h"
#include "launcher/oci/oci_file.h"

#define CLIENT "/usr/libexec/sluice/sluice-exec"
#define LEAST                                                                                      \
	"\"capabilities\":{\"bounding\":[],\"effective\":[],\"inheritable\":[],\"permitted\":[],"  \
	"\"ambient\":[]}"

static const struct runtime_settings plain, permissive = { .exec_in_container = true };

static json_object *tree(const char *text)
{
	struct err err = { "" };
	json_object *value;

	if (oci_json_parse(text, strlen(text), &value, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return value;
}

/* Members in any order. */
static void check(const char *text, const struct runtime_settings *settings, int expected_ret,
	const char *expected)
{
	json_object *process = tree(text), *wanted = tree(expected);
	struct err err = { "" };
	int ret = oci_exec_convert(process, CLIENT, settings, NULL, &err);

	if (ret != expected_ret)
		fail_msg("%s: %d %s", text, ret, err.text);
	if (!json_object_equal(process, wanted))
		fail_msg("%s became %s", text,
			json_object_to_json_string_ext(process, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(process);
	json_object_put(wanted);
}

/* podman exec -u www */
static void test_podman(void **state)
{
	check("{\"user\":{\"uid\":33,\"gid\":34,\"additionalGids\":[34,4,1000]},\"args\":[\"id\","
	      "\"-u\"],\"env\":[\"PATH=/bin\",\"LD_PRELOAD=/evil.so\",\"container=podman\"],"
	      "\"cwd\":\"/srv\",\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"],\"ambient\":["
	      "\"CAP_CHOWN\"]},\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":"
	      "18446744073709551615,\"soft\":1}],\"apparmorProfile\":\"containers-default\"}",
		&plain, 0,
		"{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"" CLIENT "\",\"--interactive\","
		"\"--inherit-env\",\"--guest-home\",\"--user\",\"33:34\",\"--group-add\",\"34,4,"
		"1000\",\"--cwd\","
		"\"/srv\",\"--\",\"id\",\"-u\"],\"env\":[\"PATH=/bin\",\"LD_PRELOAD=/evil.so\","
		"\"container=podman\"],\"cwd\":\"/\"," LEAST ",\"noNewPrivileges\":true,"
		"\"apparmorProfile\":\"containers-default\"}");
}

/* ctr task exec --tty, podman exec -it */
static void test_terminal(void **state)
{
	check("{\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},\"user\":{\"uid\":0,"
	      "\"gid\":0},\"args\":[\"/bin/sh\"],\"env\":[],\"cwd\":\"/\",\"noNewPrivileges\":"
	      "false}",
		&plain, 0,
		"{\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},\"user\":{\"uid\":"
		"0,\"gid\":0},\"args\":[\"" CLIENT
		"\",\"--interactive\",\"--inherit-env\",\"--guest-home\","
		"\"--user\",\"0:0\",\"--group-add\",\"\",\"--cwd\",\"/\",\"--tty\",\"--\","
		"\"/bin/sh\"],\"env\":[],\"cwd\":\"/\"," LEAST ",\"noNewPrivileges\":true}");
}

/* The runtime makes one up from its own passwd where there is none, or an empty one. */
static void test_home(void **state)
{
	check("{\"args\":[\"sh\"],\"cwd\":\"/\",\"env\":[\"HOME=\",\"HOME=/srv\"]}", &plain, 0,
		"{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"" CLIENT "\",\"--interactive\","
		"\"--inherit-env\",\"--user\",\"0:0\",\"--group-add\",\"\",\"--cwd\",\"/\",\"--\","
		"\"sh\"],\"cwd\":\"/\",\"env\":[\"HOME=\",\"HOME=/srv\"]," LEAST
		",\"noNewPrivileges\":true}");
	check("{\"args\":[\"sh\"],\"cwd\":\"/\",\"env\":[\"HOME=\",\"HOMES=/\"]}", &plain, 0,
		"{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"" CLIENT "\",\"--interactive\","
		"\"--inherit-env\",\"--guest-home\",\"--user\",\"0:0\",\"--group-add\",\"\",\"--"
		"cwd\","
		"\"/\",\"--\",\"sh\"],\"cwd\":\"/\",\"env\":[\"HOME=\",\"HOMES=/\"]," LEAST
		",\"noNewPrivileges\":true}");
}

/* Words that look like the client's own, empty ones and strange ones. */
static void test_command_is_kept(void **state)
{
	check("{\"args\":[\"--\",\"--user\",\"\",\"a b\\n\\\"\",\"\xc3\xa9\"],\"cwd\":\"/-\"}",
		&plain, 0,
		"{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"" CLIENT "\",\"--interactive\","
		"\"--inherit-env\",\"--guest-home\",\"--user\",\"0:0\",\"--group-add\",\"\",\"--"
		"cwd\",\"/-\",\"--\","
		"\"--\",\"--user\",\"\",\"a b\\n\\\"\",\"\xc3\xa9\"],\"cwd\":\"/\"," LEAST
		",\"noNewPrivileges\":true}");
}

#define OUTSIDE                                                                                    \
	"{\"args\":[\"sh\"],\"cwd\":\"/x\",\"env\":[\"A=1\",\"SLUICE_EXEC_TARGET=container\"],"    \
	"\"user\":{\"uid\":5,\"gid\":5},\"rlimits\":[]}"

static void refuse(
	const char *text, const struct runtime_settings *settings, int expected, const char *why)
{
	json_object *process = tree(text);
	struct err err = { "" };
	int ret = oci_exec_convert(process, CLIENT, settings, NULL, &err);

	if (ret != expected || strstr(err.text, why) == NULL)
		fail_msg("%s: %d %s", text, ret, err.text);
	json_object_put(process);
}

static void test_target(void **state)
{
	check(OUTSIDE, &permissive, 1, OUTSIDE);
	refuse(OUTSIDE, &plain, -EPERM, "exec-in-container");
	refuse("{\"args\":[\"sh\"],\"cwd\":\"/\",\"env\":[\"SLUICE_EXEC_TARGET=host\"]}",
		&permissive, -EINVAL, "must be \"vm\" or \"container\"");
	/* One that is overruled is one all the same. */
	refuse("{\"args\":[\"sh\"],\"cwd\":\"/\",\"env\":[\"SLUICE_EXEC_TARGET=container\","
	       "\"SLUICE_EXEC_TARGET=vm\"]}",
		&plain, -EPERM, "not allowed");
	check("{\"args\":[\"sh\"],\"cwd\":\"/\",\"env\":[\"SLUICE_EXEC_TARGET=container\","
	      "\"SLUICE_EXEC_TARGET=vm\"]}",
		&permissive, 0,
		"{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"" CLIENT "\",\"--interactive\","
		"\"--inherit-env\",\"--guest-home\",\"--user\",\"0:0\",\"--group-add\",\"\",\"--"
		"cwd\",\"/\",\"--\","
		"\"sh\"],\"cwd\":\"/\",\"env\":[\"SLUICE_EXEC_TARGET=container\","
		"\"SLUICE_EXEC_TARGET=vm\"]," LEAST ",\"noNewPrivileges\":true}");
}

/* Engines hand on the image's environment with the caller's. */
static void test_target_of_the_image(void **state)
{
	json_object *process = tree(OUTSIDE);
	struct err err = { "" };

	assert_int_equal(oci_exec_convert(process, CLIENT, &permissive,
				 "SLUICE_EXEC_TARGET=container", &err),
		0);
	json_object_put(process);
	process = tree(OUTSIDE);
	assert_int_equal(
		oci_exec_convert(process, CLIENT, &plain, "SLUICE_EXEC_TARGET=container", &err), 0);
	json_object_put(process);
	process = tree(OUTSIDE);
	assert_int_equal(
		oci_exec_convert(process, CLIENT, &permissive, "SLUICE_EXEC_TARGET=vm", &err), 1);
	json_object_put(process);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "[]", "not a JSON object" },
		{ "1", "not a JSON object" },
		{ "{}", "cwd" },
		{ "{\"cwd\":\"/\"}", "no command" },
		{ "{\"cwd\":\"/\",\"args\":[]}", "no command" },
		{ "{\"cwd\":\"/\",\"args\":null}", "no command" },
		{ "{\"cwd\":\"/\",\"args\":\"sh\"}", "args" },
		{ "{\"cwd\":\"/\",\"args\":[1]}", "args" },
		{ "{\"cwd\":\"/\",\"args\":[null]}", "args" },
		{ "{\"cwd\":\"x\",\"args\":[\"sh\"]}", "cwd" },
		{ "{\"cwd\":1,\"args\":[\"sh\"]}", "cwd" },
		{ "{\"cwd\":\"/\\n\",\"args\":[\"sh\"]}", "cwd" },
		{ "{\"cwd\":\"/\",\"args\":[\"sh\"],\"env\":{}}", "env" },
		{ "{\"cwd\":\"/\",\"args\":[\"sh\"],\"env\":[{}]}", "env" },
		{ "{\"cwd\":\"/\",\"args\":[\"sh\"],\"terminal\":1}", "terminal" },
		{ "{\"cwd\":\"/\",\"args\":[\"sh\"],\"user\":0}", "user" },
		{ "{\"cwd\":\"/\",\"args\":[\"sh\"],\"user\":{\"uid\":\"root\"}}", "user.uid" },
	};
	static const char *const too_large[] = {
		"{\"cwd\":\"/\",\"args\":[\"sh\"],\"user\":{\"uid\":4294967295}}",
		"{\"cwd\":\"/\",\"args\":[\"sh\"],\"user\":{\"uid\":-1}}",
		"{\"cwd\":\"/\",\"args\":[\"sh\"],\"user\":{\"gid\":18446744073709551616}}",
		"{\"cwd\":\"/\",\"args\":[\"sh\"],\"user\":{\"additionalGids\":[4294967296]}}",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refuse(rows[i].text, &plain, -EINVAL, rows[i].why);
	for (size_t i = 0; i < sizeof(too_large) / sizeof(too_large[0]); i++)
		refuse(too_large[i], &plain, -ERANGE, "user.");
}

/* As many groups as the client takes, and one more. */
static void test_many_groups(void **state)
{
	for (int n = 372; n <= 373; n++) {
		json_object *process = tree("{\"cwd\":\"/\",\"args\":[\"sh\"],\"user\":{}}");
		json_object *user = json_object_object_get(process, "user");
		json_object *gids = json_object_new_array();
		struct err err = { "" };

		for (int i = 0; i < n; i++)
			json_object_array_add(gids, json_object_new_int64(4000000000 + i));
		json_object_object_add(user, "additionalGids", gids);
		assert_int_equal(oci_exec_convert(process, CLIENT, &plain, NULL, &err),
			n == 372 ? 0 : -ERANGE);
		json_object_put(process);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_podman),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_command_is_kept),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_target_of_the_image),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_many_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
