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

#include "config/container_spec.h"
#include "config/vm_settings.h"
#include "lib/cleanup.h"

#define REST "\"process\": {}, \"args\": [ \"sh\" ]"

/* A spec with these members, and nothing more than it must have. */
#define WITH(members) "{ \"version\": 1, \"share\": \"/sluice/share\", " REST ", " members " }"

static struct container_spec good(const char *text)
{
	struct container_spec spec;
	struct err err = { "" };

	if (container_spec_parse(text, strlen(text), &spec, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return spec;
}

static void refused(const char *text, const char *message)
{
	struct container_spec spec;
	struct err err = { "" };

	assert_int_equal(container_spec_parse(text, strlen(text), &spec, &err), -EINVAL);
	assert_string_equal(err.text, message);
	assert_null(spec.settings);
	assert_null(spec.share);
	assert_null(spec.args);
}

static const char everything[] =
	"{ \"version\": 1, \"settings\": { \"vmm\": \"uml\", \"memory\": \"448\" },"
	" \"hostname\": \"web-0\", \"share\": \"/sluice/share\", \"readonly\": true,"
	" \"volumes\": ["
	"   { \"kind\": \"virtiofs\", \"destination\": \"/data\", \"readonly\": true },"
	"   { \"kind\": \"tmpfs\", \"destination\": \"/tmp\", \"options\": \"nosuid,size=1m\" },"
	"   { \"kind\": \"nfs\", \"destination\": \"/n\", \"optional\": true } ],"
	" \"process\": { \"cwd\": \"/srv\", \"user\": \"33:33\", \"terminal\": true,"
	"   \"additionalGids\": [ 4, 29 ],"
	"   \"rlimits\": [ { \"type\": \"RLIMIT_NOFILE\", \"soft\": 1024, \"hard\": -1 } ] },"
	" \"args\": [ \"/bin/sh\", \"-c\", \"\", \"two\\nlines\" ],"
	" \"env\": [ \"PATH=/bin\", \"EMPTY=\", \"EQUALS=a=b\" ] }";

static void test_everything(void **state)
{
	struct container_spec spec = good(everything);

	assert_int_equal(spec.n_settings, 2);
	assert_string_equal(spec.settings[0].key, "vmm");
	assert_string_equal(spec.settings[0].value, "uml");
	assert_string_equal(spec.settings[1].value, "448");
	assert_string_equal(spec.hostname, "web-0");
	assert_string_equal(spec.share, "/sluice/share");
	assert_true(spec.readonly);
	assert_int_equal(spec.n_volumes, 3);
	assert_int_equal(spec.volumes[0].kind, MACHINE_VIRTIOFS);
	assert_true(spec.volumes[0].readonly && !spec.volumes[0].optional);
	assert_null(spec.volumes[0].source);
	assert_int_equal(spec.volumes[1].kind, MACHINE_TMPFS);
	assert_string_equal(spec.volumes[1].options, "nosuid,size=1m");
	assert_int_equal(spec.volumes[2].kind, MACHINE_NFS);
	assert_true(spec.volumes[2].optional);
	assert_string_equal(spec.process.user, "33:33");
	assert_true(spec.process.terminal);
	assert_int_equal(spec.process.n_gids, 2);
	assert_string_equal(spec.args[2], "");
	assert_string_equal(spec.args[3], "two\nlines");
	assert_null(spec.args[4]);
	assert_string_equal(spec.env[1], "EMPTY=");
	assert_string_equal(spec.env[2], "EQUALS=a=b");
	assert_null(spec.env[3]);
	container_spec_free(&spec);
	assert_null(spec.args);
}

/* What is not said is empty, and still ends with NULL. */
static void test_least(void **state)
{
	struct container_spec spec =
		good("{ \"version\": 1, \"share\": \"/sluice/share\", " REST " }");

	assert_int_equal(spec.n_settings, 0);
	assert_int_equal(spec.n_volumes, 0);
	assert_null(spec.hostname);
	assert_false(spec.readonly);
	assert_string_equal(spec.args[0], "sh");
	assert_null(spec.env[0]);
	assert_null(spec.process.cwd);
	container_spec_free(&spec);
}

static void test_refused(void **state)
{
	refused("[]", "container spec: must be an object ({ ... })");
	refused("{ \"version\": 2, \"share\": \"/s\", " REST " }",
		"container spec: version: 2 is out of range (1 to 1)");
	refused("{ \"version\": 1, " REST " }",
		"container spec: share: missing (must be an absolute path of at most 4095 bytes)");
	refused("{ \"version\": 1, \"share\": \"s\", " REST " }",
		"container spec: share: \"s\" is not allowed (must be an absolute path of at most "
		"4095 bytes)");
	refused(WITH("\"rootfs\": \"/\""),
		"container spec: rootfs: unknown key (allowed: version, settings, hostname, share, "
		"readonly, volumes, sysctl, process, args, env)");
	refused(WITH("\"version\": 1"),
		"container spec: line 1: duplicate object key near '\"version\"'");
	refused("{ \"version\": 1, \"share\": \"/s\", \"process\": { \"cwd\": \"x\" }, "
		"\"args\": [ \"sh\" ] }",
		"container spec: process.cwd: \"x\" is not allowed (must be an absolute path of at "
		"most 4095 bytes)");
}

static void test_refused_vectors(void **state)
{
	refused("{ \"version\": 1, \"share\": \"/s\", \"process\": {}, \"args\": [] }",
		"container spec: args: has no entry (the first is the program)");
	refused("{ \"version\": 1, \"share\": \"/s\", \"process\": {}, \"args\": [ \"a\", 1 ] }",
		"container spec: args[1]: must be text");
	refused(WITH("\"env\": [ \"A=1\", \"B\" ]"), "container spec: env[1]: must be NAME=VALUE");
	refused(WITH("\"env\": [ \"=x\" ]"), "container spec: env[0]: must be NAME=VALUE");
	refused(WITH("\"env\": [ null ]"), "container spec: env[0]: must be NAME=VALUE");
	refused(WITH("\"settings\": { \"memory\": 448 }"),
		"container spec: settings.memory: must be text");
}

static void test_sysctls(void **state)
{
	struct container_spec spec = good(
		WITH("\"sysctl\": { \"net.ipv4.ip_forward\": \"1\", \"kernel/shmmax\": \"\" }"));

	assert_int_equal(spec.sysctls.n, 2);
	assert_string_equal(spec.sysctls.item[0].key, "net.ipv4.ip_forward");
	assert_string_equal(spec.sysctls.item[0].value, "1");
	container_spec_free(&spec);
	refused(WITH("\"sysctl\": []"),
		"container spec: sysctl: an array is not allowed (must be an object)");
	refused(WITH("\"sysctl\": { \"net.x\": 1 }"),
		"container spec: sysctl.net.x: must be text of at most 4095 bytes");
	refused(WITH("\"sysctl\": { \"../../etc/passwd\": \"x\" }"),
		"container spec: sysctl: \"../../etc/passwd\" is not allowed (must be a name such "
		"as \"net.ipv4.ip_forward\")");
	refused(WITH("\"sysctl\": { \"a..b\": \"x\" }"),
		"container spec: sysctl: \"a..b\" is not allowed (must be a name such as "
		"\"net.ipv4.ip_forward\")");
}

static void test_refused_volumes(void **state)
{
	refused(WITH("\"volumes\": [ { \"kind\": \"ext4\", \"destination\": \"/b\" } ]"),
		"container spec: volumes[0].kind: \"ext4\" is not allowed (must be \"virtiofs\", "
		"\"nfs\" or \"tmpfs\")");
	refused(WITH("\"volumes\": [ { \"kind\": \"nfs\" } ]"),
		"container spec: volumes[0].destination: missing (must be an absolute path of at "
		"most 4095 bytes)");
	refused(WITH("\"volumes\": [ { \"kind\": \"nfs\", \"destination\": \"//\" } ]"),
		"container spec: volumes[0].destination: \"//\" is the root itself");
	/* Where they are is not for the file to say. */
	refused(WITH("\"volumes\": [ { \"kind\": \"nfs\", \"destination\": \"/b\", "
		     "\"source\": \"/\" } ]"),
		"container spec: volumes[0].source: unknown key (allowed: kind, destination, "
		"options, readonly, optional)");
	refused(WITH("\"volumes\": [ 1 ]"),
		"container spec: volumes[0]: must be an object ({ ... })");
}

/* A process in which there is everything that is on the heap. */
static void test_process_copy(void **state)
{
	struct container_spec spec = good(everything);
	struct process_spec copy;

	assert_int_equal(process_spec_copy(&spec.process, &copy), 0);
	assert_ptr_not_equal(copy.gids, spec.process.gids);
	container_spec_free(&spec);
	assert_string_equal(copy.cwd, "/srv");
	assert_string_equal(copy.user, "33:33");
	assert_null(copy.groups);
	assert_int_equal(copy.gids[1], 29);
	assert_int_equal(copy.rlimits[0].soft, 1024);
	assert_true(copy.terminal);
	process_spec_free(&copy);
}

/* --- as a layer of settings ------------------------------------------------------------------ */

static void test_layer(void **state)
{
	struct container_spec spec =
		good(WITH("\"settings\": { \"memory\": \"448\", \"cpus\": \"2\","
			  " \"run-dir\": \"/run/other\" }"));
	char word[] = "--memory=500", *words[] = { word, NULL };
	struct vm_sources from = { .container = &spec };
	struct vm_settings s;
	struct err err = { "" };

	assert_int_equal(vm_settings_load(&from, &s, &err), 0);
	assert_int_equal(s.memory_mib, 448);
	assert_int_equal(s.cpus, 2);
	/* Also what a pod could not set by an annotation. */
	assert_string_equal(s.run_dir, "/run/other");
	setenv("SLUICE_CPUS", "3", 1);
	from.words = words;
	assert_int_equal(vm_settings_load(&from, &s, &err), 0);
	unsetenv("SLUICE_CPUS");
	assert_int_equal(s.memory_mib, 500);
	assert_int_equal(s.cpus, 3);
	container_spec_free(&spec);
}

static void test_layer_refused(void **state)
{
	struct container_spec spec = good(WITH("\"settings\": { \"memory\": \"lots\" }"));
	struct vm_sources from = { .container = &spec };
	struct vm_settings s;
	struct err err = { "" };

	assert_int_equal(vm_settings_load(&from, &s, &err), -EINVAL);
	if (strncmp(err.text, "container's settings: memory: \"lots\" is not", 42) != 0)
		fail_msg("%s", err.text);
	container_spec_free(&spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_least),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_vectors),
		cmocka_unit_test(test_sysctls),
		cmocka_unit_test(test_refused_volumes),
		cmocka_unit_test(test_process_copy),
		cmocka_unit_test(test_layer),
		cmocka_unit_test(test_layer_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
