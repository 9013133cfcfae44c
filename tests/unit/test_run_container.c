/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/cli/run_options.h"
#include "scratch.h"

/* The command line of `sluice-vm run` with a container's file. */

static const char whole[] =
	"{ \"version\": 1, \"settings\": { \"memory\": \"448\", \"vmm\": \"uml\" },"
	" \"hostname\": \"web-0\", \"share\": \"/sluice/share\", \"readonly\": true,"
	" \"volumes\": [ { \"kind\": \"virtiofs\", \"destination\": \"/a\" },"
	"   { \"kind\": \"tmpfs\", \"destination\": \"/t\", \"options\": \"size=1m\" },"
	"   { \"kind\": \"nfs\", \"destination\": \"/b\", \"readonly\": true,"
	"     \"optional\": true } ],"
	" \"process\": { \"user\": \"33\", \"terminal\": true }, \"args\": [ \"sh\", \"-c\" ],"
	" \"env\": [ \"A=1\" ] }";

static int parse(void **state, const char *text, struct run_options *options, struct err *err,
	const char *const *more)
{
	char *words[10] = { (char *)"--config", NULL, (char *)"--container", NULL };
	size_t n = 4;

	scratch_write(state, "container.json", text, 0600);
	scratch_write(
		state, "sluice.json", "{ \"cpus\": 2, \"user\": \"admin\", \"memory\": 99 }", 0600);
	words[1] = (char *)scratch_path(state, "sluice.json");
	words[3] = (char *)scratch_path(state, "container.json");
	for (; *more != NULL; more++)
		words[n++] = (char *)*more;
	return run_options_parse(words, options, err);
}

static void test_takes_its_place(void **state)
{
	const char *const more[] = { "--memory=512", NULL };
	struct run_options o;
	struct err err = { "" };

	if (parse(state, whole, &o, &err, more) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(o.settings.cpus, 2);
	assert_int_equal(o.settings.vmm, VM_VMM_UML);
	assert_int_equal(o.settings.memory_mib, 512);
	assert_string_equal(o.settings.rootfs, "/sluice/share/rootfs");
	assert_string_equal(o.settings.hostname, "web-0");
	assert_true(o.settings.readonly && o.settings.tty);
	assert_string_equal(o.argv[1], "-c");
	assert_null(o.argv[2]);
	/* Its own alone: no PATH and no TERM of ours. */
	assert_string_equal(run_options_env(&o)[0], "A=1");
	assert_null(run_options_env(&o)[1]);
	assert_string_equal(o.container.process.user, "33");
	run_options_free(&o);
}

/* Those that have a place in the share are counted there, whatever serves them. */
static void test_volumes(void **state)
{
	const char *const more[] = { NULL };
	struct run_options o;
	struct err err = { "" };

	assert_int_equal(parse(state, whole, &o, &err, more), 0);
	assert_int_equal(o.volumes.n, 3);
	assert_string_equal(o.volumes.item[0].source, "/sluice/share/vol/0");
	assert_true(o.volumes.item[0].ready && !o.volumes.item[0].nfs);
	assert_null(o.volumes.item[1].source);
	assert_false(o.volumes.item[1].ready);
	assert_string_equal(o.volumes.item[1].options, "size=1m");
	assert_string_equal(o.volumes.item[2].source, "/sluice/share/vol/1");
	assert_string_equal(o.volumes.item[2].destination, "/b");
	assert_int_equal(o.volumes.item[2].number, 1);
	assert_true(o.volumes.item[2].nfs && o.volumes.item[2].readonly);
	assert_true(o.volumes.item[2].optional);
	run_options_free(&o);
}

static void refused(void **state, const char *text, const char *const *more, const char *expected)
{
	struct run_options o;
	struct err err = { "" };

	assert_int_equal(parse(state, text, &o, &err, more), -EINVAL);
	assert_true(o.has_container);
	if (strstr(err.text, expected) == NULL)
		fail_msg("%s, and not %s", err.text, expected);
	run_options_free(&o);
}

static void test_nothing_besides(void **state)
{
	static const char *const words[][4] = {
		{ "--volume", "/a:/b" },
		{ "--tmpfs=/a" },
		{ "--env", "A=2" },
		{ "--env-file=/dev/null" },
		{ "--", "sh" },
		{ "--rootfs=/x" },
		{ "--readonly" },
		{ "-u", "0" },
		{ "--workdir", "/" },
		{ "--cap-add", "NET_RAW" },
		{ "--tty" },
	};
	static const char *const expected[] = { "--volume: ", "--tmpfs: ", "--env: ",
		"--env-file: ", "a command: ", "--rootfs: ", "--readonly: ", "--user: ", "--cwd: ",
		"--cap-add: ", "--tty: " };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		refused(state, whole, words[i], expected[i]);
		refused(state, whole, words[i], "not with --container, whose file says it");
	}
}

/* A value is no word. */
static void test_values_are_no_words(void **state)
{
	const char *const more[] = { "--kernel-append", "--user", NULL };
	struct run_options o;
	struct err err = { "" };

	assert_int_equal(parse(state, whole, &o, &err, more), 0);
	assert_string_equal(o.settings.kernel_append, "--user");
	run_options_free(&o);
}

static void test_bad_files(void **state)
{
	const char *const none[] = { NULL }, *const missing[] = { "--container=/no/such", NULL };
	struct run_options o;
	struct err err = { "" };

	refused(state, "{}", none, "/container.json: container spec: version: missing");
	refused(state,
		"{ \"version\": 1, \"settings\": { \"tty\": \"true\" }, \"share\": \"/s\", "
		"\"process\": {}, \"args\": [ \"sh\" ] }",
		none, "settings.tty: is said by the container itself");
	refused(state,
		"{ \"version\": 1, \"settings\": { \"memory\": \"x\" }, \"share\": \"/s\", "
		"\"process\": {}, \"args\": [ \"sh\" ] }",
		none, "container's settings: memory: \"x\"");
	assert_int_equal(parse(state, whole, &o, &err, missing), -ENOENT);
	assert_string_equal(err.text, "/no/such: No such file or directory");
	run_options_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_takes_its_place, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(test_volumes, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(test_nothing_besides, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			test_values_are_no_words, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(test_bad_files, scratch_open, scratch_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
