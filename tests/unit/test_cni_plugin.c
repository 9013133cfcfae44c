/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "launcher/cni/cni_plugin.h"
#include "scratch.h"

/* The whole plugin but its main(): a life of two containers, and what the environment may be. More,
 * of the program itself, is in tests/integration/test_cni.py. */

static enum cni_code run(
	const struct cni_environment *env, const char *config, size_t len, json_t **answer)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	enum cni_code code;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, config, len), (ssize_t)len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	code = cni_plugin_run(env, fd, answer);
	close(fd);
	return code;
}

/* The answer in one line, "" for none; it has the code that was returned. */
static const char *said(const struct cni_environment *env, const char *config, enum cni_code want)
{
	static char text[4096];
	json_t *answer;
	enum cni_code code = run(env, config, strlen(config), &answer);
	char *dumped = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;

	snprintf(text, sizeof(text), "%s", dumped != NULL ? dumped : "");
	free(dumped);
	if (code != want)
		fail_msg("%s: %d, %s", env->command, code, text);
	if (code != CNI_OK)
		assert_int_equal(json_integer_value(json_object_get(answer, "code")), code);
	json_decref(answer);
	return text;
}

static struct cni_environment env_of(const char *command, const char *container_id)
{
	return (struct cni_environment) { command, container_id, "/run/netns/x", "eth0" };
}

static void test_life(void **state)
{
	struct cni_environment web = env_of("ADD", "web"), db = env_of("ADD", "db");
	char config[500], check[1500];
	int n = snprintf(config, sizeof(config),
		"{\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"dataDir\":\"%s/data\","
		"\"subnet\":\"10.88.0.0/30\",\"cni.dev/valid-attachments\":[]}",
		(const char *)*state);

	web.command = "STATUS";
	assert_string_equal(said(&web, config, CNI_OK), "");
	assert_int_equal(access(scratch_path(state, "data"), F_OK), -1);
	web.command = "ADD";
	snprintf(check, sizeof(check), "%.*s,\"prevResult\":%s}", n - 1, config,
		said(&web, config, CNI_OK));
	assert_non_null(strstr(check, "\"10.88.0.2/30\""));
	said(&web, config, CNI_ADDED_ALREADY);
	assert_non_null(strstr(said(&db, config, CNI_TRY_AGAIN), "are taken"));
	web.command = "CHECK";
	assert_string_equal(said(&web, check, CNI_OK), "");
	db.command = "CHECK";
	said(&db, check, CNI_UNKNOWN_CONTAINER);
	web.command = "STATUS";
	said(&web, config, CNI_NOT_AVAILABLE);
	web.command = "DEL";
	assert_string_equal(said(&web, check, CNI_OK), "");
	assert_string_equal(said(&web, config, CNI_OK), "");
	db.command = "ADD";
	assert_non_null(strstr(said(&db, config, CNI_OK), "\"10.88.0.2/30\""));
	web.command = "GC";
	assert_string_equal(said(&web, config, CNI_OK), "");
	web.command = "STATUS";
	assert_string_equal(said(&web, config, CNI_OK), "");
}

static void refuses(const struct cni_environment *env, const char *message)
{
	const char *text =
		said(env, "{\"cniVersion\":\"0.4.0\",\"name\":\"x\"}", CNI_BAD_ENVIRONMENT);
	char want[300];

	snprintf(want, sizeof(want), "\"msg\":\"%s", message);
	if (strstr(text, want) == NULL)
		fail_msg("%s", text);
}

static void test_environment(void **state)
{
	struct cni_environment env = env_of(NULL, "web");

	refuses(&env, "CNI_COMMAND: is missing");
	env.command = "FLY";
	refuses(&env, "CNI_COMMAND: \\\"FLY\\\" is none of");
	env.command = "\xff\xfe";
	refuses(&env, "CNI_COMMAND: \\\"??\\\" is none of");
	env = env_of("ADD", NULL);
	refuses(&env, "CNI_CONTAINERID: is missing");
	env.container_id = "../../etc";
	refuses(&env, "CNI_CONTAINERID: \\\"../../etc\\\" does not begin");
	env = env_of("DEL", "web");
	env.ifname = "a/b";
	refuses(&env, "CNI_IFNAME: \\\"a/b\\\" has");
	env = env_of("CHECK", "web");
	env.netns = "";
	refuses(&env, "CNI_NETNS: is missing");
	env.netns = "/run/\xff";
	refuses(&env, "CNI_NETNS: is not UTF-8");
}

static void test_version(void **state)
{
	static const struct cni_environment dummy = { "VERSION", "", "dummy", "dummy" };
#define SUPPORTED "\"supportedVersions\":[\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}"

	assert_string_equal(said(&dummy, "{\"cniVersion\":\"1.0.0\"}", CNI_OK),
		"{\"cniVersion\":\"1.0.0\"," SUPPORTED);
	assert_string_equal(said(&dummy, "{\"cniVersion\":\"3.0.0\"}", CNI_OK),
		"{\"cniVersion\":\"3.0.0\"," SUPPORTED);
	assert_string_equal(said(&dummy, "", CNI_OK), "{\"cniVersion\":\"1.1.0\"," SUPPORTED);
	said(&dummy, "{", CNI_NOT_DECODED);
}

static void test_input(void **state)
{
	struct cni_environment env = env_of("ADD", "web");
	size_t len = CNI_INPUT_MAX + 1;
	char *text = malloc(len);
	json_t *answer;

	assert_non_null(text);
	memset(text, ' ', len);
	assert_int_equal(run(&env, text, len, &answer), CNI_IO_FAILURE);
	assert_non_null(answer);
	json_decref(answer);
	free(text);
	assert_int_equal(cni_plugin_run(&env, -1, &answer), CNI_IO_FAILURE);
	json_decref(answer);
	assert_non_null(strstr(said(&env, "", CNI_NOT_DECODED), "\"cniVersion\":\"1.1.0\""));
	assert_non_null(strstr(said(&env, "{\"cniVersion\":\"0.4.0\"}", CNI_BAD_CONFIG),
		"\"cniVersion\":\"0.4.0\""));
	assert_non_null(strstr(said(&env, "{\"cniVersion\":\"9\"}", CNI_INCOMPATIBLE_VERSION),
		"\"cniVersion\":\"1.1.0\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
