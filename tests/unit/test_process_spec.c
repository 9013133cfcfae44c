/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <linux/capability.h>

#include "config/process_spec.h"
#include "json_text.h"

static struct process_spec good(const char *text)
{
	struct process_spec spec;
	struct err err = { "" };
	json_t *json = json_text(text);

	if (process_spec_decode(json, "process.", &spec, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	json_decref(json);
	return spec;
}

static void refused(const char *text, const char *message)
{
	struct process_spec spec;
	struct err err = { "" };
	json_t *json = json_text(text);

	assert_true(process_spec_decode(json, "process.", &spec, &err) < 0);
	assert_string_equal(err.text, message);
	assert_null(spec.cwd);
	assert_null(spec.user);
	assert_null(spec.gids);
	json_decref(json);
}

/* Encoded, and what that decodes to encoded again: both are `text`. */
static void round_trip(const char *text)
{
	json_t *want = json_text(text);
	struct process_spec spec = good(text);
	json_t *json = process_spec_encode(&spec);

	if (!json_equal(json, want))
		fail_msg("%s became %s", text, json_dumps(json, 0));
	process_spec_free(&spec);
	json_decref(json);
	json_decref(want);
}

static void test_everything(void **state)
{
	struct process_spec spec = good("{ \"cwd\": \"/srv\", \"user\": \"www:adm\","
					" \"additionalGids\": [ 5, 4294967294 ], \"umask\": 18,"
					" \"rlimits\": [ { \"type\": \"RLIMIT_NOFILE\","
					" \"soft\": 1024, \"hard\": -1 } ],"
					" \"capabilities\": [ \"CAP_CHOWN\", \"CAP_NET_RAW\" ],"
					" \"noNewPrivileges\": true, \"terminal\": true,"
					" \"rows\": 24, \"columns\": 65535 }");

	assert_string_equal(spec.cwd, "/srv");
	assert_string_equal(spec.user, "www:adm");
	assert_int_equal(spec.n_gids, 2);
	assert_int_equal(spec.gids[0], 5);
	assert_int_equal(spec.gids[1], 4294967294);
	assert_true(spec.has_umask);
	assert_int_equal(spec.umask, 022);
	assert_int_equal(spec.n_rlimits, 1);
	assert_int_equal(spec.rlimits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(spec.rlimits[0].soft, 1024);
	assert_true(spec.rlimits[0].hard == RLIM64_INFINITY);
	assert_true(spec.capabilities == (1U << CAP_CHOWN | 1U << CAP_NET_RAW));
	assert_true(spec.no_new_privileges && spec.terminal);
	assert_int_equal(spec.rows, 24);
	assert_int_equal(spec.columns, 65535);
	process_spec_free(&spec);
	assert_null(spec.cwd);
}

/* What is not said is told from what is said to be nothing. */
static void test_nothing(void **state)
{
	struct process_spec spec = good("{}");

	assert_null(spec.cwd);
	assert_null(spec.user);
	assert_false(spec.has_umask || spec.has_rlimits || spec.has_capabilities ||
		     spec.has_no_new_privileges || spec.terminal);
	spec = good("{ \"user\": \"\", \"umask\": 0, \"rlimits\": [], \"capabilities\": [],"
		    " \"noNewPrivileges\": false }");
	assert_string_equal(spec.user, "");
	assert_true(spec.has_umask && spec.has_rlimits && spec.has_capabilities &&
		    spec.has_no_new_privileges);
	assert_true(spec.capabilities == 0 && spec.n_rlimits == 0 && !spec.no_new_privileges);
	process_spec_free(&spec);
}

static void test_round_trip(void **state)
{
	round_trip("{}");
	round_trip("{ \"user\": \"\", \"umask\": 0, \"rlimits\": [], \"capabilities\": [],"
		   " \"noNewPrivileges\": false }");
	round_trip("{ \"cwd\": \"/\", \"user\": \"1000:1000\", \"additionalGids\": [ 0, 7 ],"
		   " \"umask\": 63, \"rlimits\": [ { \"type\": \"RLIMIT_CORE\", \"soft\": 0,"
		   " \"hard\": 9223372036854775807 }, { \"type\": \"RLIMIT_STACK\","
		   " \"soft\": -1, \"hard\": -1 } ], \"capabilities\": [ \"CAP_SYS_ADMIN\","
		   " \"CAP_CHECKPOINT_RESTORE\" ], \"noNewPrivileges\": true,"
		   " \"terminal\": true, \"rows\": 1, \"columns\": 2 }");
}

/* Every capability and every rlimit that this kernel's headers know has its name. */
static void test_names(void **state)
{
	struct process_spec all = { .has_capabilities = true,
		.capabilities = (UINT64_C(2) << CAP_LAST_CAP) - 1,
		.has_rlimits = true,
		.n_rlimits = RLIM_NLIMITS };
	struct process_spec again;
	json_t *json;

	assert_int_equal(PROCESS_RLIMITS_MAX, RLIM_NLIMITS);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		all.rlimits[i] = (struct process_rlimit) { i, (uint64_t)i, RLIM64_INFINITY };
	json = process_spec_encode(&all);
	assert_non_null(json);
	assert_int_equal(process_spec_decode(json, "", &again, NULL), 0);
	assert_true(again.capabilities == all.capabilities);
	assert_memory_equal(again.rlimits, all.rlimits, sizeof(all.rlimits));
	process_spec_free(&again);
	json_decref(json);
}

static void test_refused_values(void **state)
{
	refused("{ \"cwd\": \"srv\" }",
		"process.cwd: \"srv\" is not allowed (must be an absolute path of at most 4095 "
		"bytes)");
	refused("{ \"user\": \"a\\nb\" }", "process.user: \"a?b\" has a control character");
	refused("{ \"umask\": 512 }", "process.umask: 512 is out of range (0 to 511)");
	refused("{ \"rows\": 65536 }", "process.rows: 65536 is out of range (0 to 65535)");
	refused("{ \"terminal\": 1 }",
		"process.terminal: a number is not allowed (must be true or false)");
	refused("{ \"cwd\": \"/\", \"tty\": true }",
		"process.tty: unknown key (allowed: cwd, user, additionalGids, groups, "
		"umask, rlimits, capabilities, ambientCapabilities, noNewPrivileges, init, "
		"terminal, "
		"rows, columns)");
	refused("{ \"cwd\": \"/\", \"user\": \"x\", \"additionalGids\": [ 1, 4294967295 ] }",
		"process.additionalGids[1]: must be a number from 0 to 4294967294");
	refused("{ \"additionalGids\": [ -1 ] }",
		"process.additionalGids[0]: must be a number from 0 to 4294967294");
	refused("{ \"capabilities\": [ \"CAP_KILL\", \"NET_RAW\" ] }",
		"process.capabilities[1]: \"NET_RAW\" is not allowed (must be a capability such "
		"as \"CAP_NET_RAW\")");
	refused("[]", "process: must be an object ({ ... })");
}

static void test_refused_rlimits(void **state)
{
	refused("{ \"rlimits\": [ 7 ] }", "process.rlimits[0]: must be an object ({ ... })");
	refused("{ \"rlimits\": [ { \"type\": \"RLIMIT_NOFILE\", \"hard\": 1 } ] }",
		"process.rlimits[0].soft: missing (must be a number, or -1)");
	refused("{ \"rlimits\": [ { \"type\": \"RLIMIT_NOFILE\", \"soft\": 2, \"hard\": 1 } ] }",
		"process.rlimits[0].soft: is above hard");
	refused("{ \"rlimits\": [ { \"type\": \"RLIMIT_NOFILE\", \"soft\": -2, \"hard\": 1 } ] }",
		"process.rlimits[0].soft: -2 is out of range (0 and more, or -1)");
	refused("{ \"rlimits\": [ { \"type\": \"RLIMIT_NOFILE\", \"soft\": 1.5, \"hard\": 2 } ] }",
		"process.rlimits[0].soft: must be a number, or -1 for no limit");
	refused("{ \"rlimits\": [ { \"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1 },"
		" { \"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1 } ] }",
		"process.rlimits[1].type: is there twice");
}

static void test_bounds(void **state)
{
	json_t *json = json_object(), *gids = json_array(), *rlimits = json_array();
	struct process_spec spec;
	struct err err;

	for (size_t i = 0; i <= PROCESS_GIDS_MAX; i++)
		json_array_append_new(gids, json_integer(1));
	json_object_set_new(json, "additionalGids", gids);
	assert_int_equal(process_spec_decode(json, "", &spec, &err), -EINVAL);
	assert_string_equal(err.text, "additionalGids: has 65537 entries (at most 65536)");
	json_object_clear(json);
	for (size_t i = 0; i <= PROCESS_RLIMITS_MAX; i++)
		json_array_append_new(rlimits, json_object());
	json_object_set_new(json, "rlimits", rlimits);
	assert_int_equal(process_spec_decode(json, "", &spec, &err), -EINVAL);
	assert_string_equal(err.text, "rlimits: has 17 entries (at most 16)");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_refused_values),
		cmocka_unit_test(test_refused_rlimits),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
