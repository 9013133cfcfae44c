/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/machine_spec.h"
#include "lib/cleanup.h"

#define NO_NETWORK                                                                                 \
	"\"network\": { \"interfaces\": [], \"addresses\": [], \"routes\": [], \"rules\": [],"     \
	" \"neighbours\": [] }"
#define ROOT "\"root\": { \"kind\": \"virtiofs\", \"source\": \"sluice:/rootfs\" }"

/* A spec with these mounts, and nothing more than it must have. */
#define WITH_MOUNTS(mounts)                                                                        \
	"{ \"version\": 1, " NO_NETWORK ", " ROOT ", \"mounts\": [ " mounts " ], \"process\": {} " \
	"}"

static struct machine_spec good(const char *text)
{
	struct machine_spec spec;
	struct err err = { "" };

	if (machine_spec_parse(text, strlen(text), &spec, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return spec;
}

static void refused(const char *text, const char *message)
{
	struct machine_spec spec;
	struct err err = { "" };

	assert_int_equal(machine_spec_parse(text, strlen(text), &spec, &err), -EINVAL);
	assert_string_equal(err.text, message);
	assert_null(spec.mounts);
	assert_null(spec.root.source);
}

static void round_trip(const char *text)
{
	struct machine_spec spec = good(text);
	cleanup_free char *out = machine_spec_format(&spec);
	json_t *want = json_loads(text, 0, NULL), *json;

	assert_non_null(out);
	json = json_loads(out, 0, NULL);
	if (!json_equal(json, want))
		fail_msg("%s became %s", text, out);
	machine_spec_free(&spec);
	json_decref(json);
	json_decref(want);
}

static const char everything[] =
	"{ \"version\": 1, \"hostname\": \"web-0\", \"hosts\": \"127.0.0.1\\tlocalhost\\n\","
	" \"resolv_conf\": \"nameserver 10.0.0.10\\noptions ndots:5\\n\", " NO_NETWORK ","
	" \"root\": { \"kind\": \"ext4\", \"source\": \"/dev/vda\", \"options\": \"noatime\","
	"   \"readonly\": true },"
	" \"mounts\": ["
	"   { \"kind\": \"virtiofs\", \"source\": \"sluice:/v0\", \"destination\": \"/data\" },"
	"   { \"kind\": \"nfs\", \"source\": \"169.254.1.254:/v1\", \"destination\": \"/n\","
	"     \"options\": \"vers=4.2\", \"readonly\": true, \"optional\": true },"
	"   { \"kind\": \"tmpfs\", \"destination\": \"/tmp\", \"options\": \"size=1m\" } ],"
	" \"sharedPorts\": [ 8080, 9090 ],"
	" \"sysctl\": { \"net.ipv4.ip_forward\": \"1\" },"
	" \"process\": { \"cwd\": \"/\", \"user\": \"\" } }";

static void test_everything(void **state)
{
	struct machine_spec spec = good(everything);

	assert_string_equal(spec.hostname, "web-0");
	assert_string_equal(spec.hosts, "127.0.0.1\tlocalhost\n");
	assert_string_equal(spec.resolv_conf, "nameserver 10.0.0.10\noptions ndots:5\n");
	assert_int_equal(spec.root.kind, MACHINE_EXT4);
	assert_string_equal(spec.root.source, "/dev/vda");
	assert_string_equal(spec.root.destination, "/");
	assert_string_equal(spec.root.options, "noatime");
	assert_true(spec.root.readonly && !spec.root.optional);
	assert_int_equal(spec.n_mounts, 3);
	assert_int_equal(spec.mounts[0].kind, MACHINE_VIRTIOFS);
	assert_string_equal(spec.mounts[0].destination, "/data");
	assert_null(spec.mounts[0].options);
	assert_false(spec.mounts[0].readonly || spec.mounts[0].optional);
	assert_true(spec.mounts[1].readonly && spec.mounts[1].optional);
	assert_int_equal(spec.mounts[2].kind, MACHINE_TMPFS);
	assert_null(spec.mounts[2].source);
	assert_int_equal(spec.n_shared_ports, 2);
	assert_int_equal(spec.shared_ports[0], 8080);
	assert_int_equal(spec.shared_ports[1], 9090);
	assert_string_equal(spec.process.cwd, "/");
	machine_spec_free(&spec);
}

static void test_round_trip(void **state)
{
	round_trip(WITH_MOUNTS(""));
	round_trip(everything);
	/* An empty file is not the same as none. */
	round_trip("{ \"version\": 1, \"hosts\": \"\", " NO_NETWORK ", " ROOT
		   ", \"mounts\": [], \"process\": { \"terminal\": true } }");
}

static void test_refused_mounts(void **state)
{
	refused(WITH_MOUNTS("{ \"kind\": \"tmpfs\", \"destination\": \"/a\" },"
			    " { \"kind\": \"vfat\", \"source\": \"x\", \"destination\": \"/b\" }"),
		"machine spec: mounts[1].kind: \"vfat\" is not allowed (must be \"virtiofs\", "
		"\"nfs\" or \"tmpfs\")");
	refused(WITH_MOUNTS("{ \"kind\": \"nfs\", \"destination\": \"/b\" }"),
		"machine spec: mounts[0].source: missing (only a tmpfs has none)");
	refused(WITH_MOUNTS("{ \"kind\": \"tmpfs\", \"source\": \"t\", \"destination\": \"/b\" }"),
		"machine spec: mounts[0].source: \"t\": a tmpfs has none");
	refused(WITH_MOUNTS("{ \"kind\": \"tmpfs\", \"destination\": \"b\" }"),
		"machine spec: mounts[0].destination: \"b\" is not allowed (must be an absolute "
		"path of at most 4095 bytes)");
	refused(WITH_MOUNTS("{ \"kind\": \"tmpfs\", \"destination\": \"//\" }"),
		"machine spec: mounts[0].destination: \"//\" is the root itself");
	refused(WITH_MOUNTS("{ \"kind\": \"tmpfs\" }"),
		"machine spec: mounts[0].destination: missing (must be an absolute path of at "
		"most 4095 bytes)");
	refused(WITH_MOUNTS("{ \"kind\": \"tmpfs\", \"destination\": \"/b\", \"ro\": true }"),
		"machine spec: mounts[0].ro: unknown key (allowed: kind, source, destination, "
		"options, readonly, optional)");
	refused(WITH_MOUNTS("\"/tmp\""), "machine spec: mounts[0]: must be an object ({ ... })");
}

static void test_refused_parts(void **state)
{
	refused("{}", "machine spec: version: missing (must be 1 to 1)");
	refused("{ \"version\": 2, " NO_NETWORK ", " ROOT ", \"mounts\": [], \"process\": {} }",
		"machine spec: version: 2 is out of range (1 to 1)");
	refused("{ \"version\": 1, \"hostname\": \"a b\" }",
		"machine spec: hostname: \"a b\" is not allowed (must be 1 to 64 letters, digits, "
		"'.', '_' or '-')");
	refused("{ \"version\": 1, " NO_NETWORK ", \"root\": { \"kind\": \"tmpfs\","
		" \"source\": \"x\" }, \"mounts\": [], \"process\": {} }",
		"machine spec: root.kind: \"tmpfs\" is not allowed (must be \"virtiofs\", "
		"\"ext4\", \"nfs\" or \"initramfs\")");
	refused("{ \"version\": 1, " NO_NETWORK ", " ROOT
		", \"mounts\": [], \"process\": { \"umask\": -1 } }",
		"machine spec: process.umask: -1 is out of range (0 to 511)");
	refused("{ \"version\": 1, \"network\": {}, " ROOT ", \"mounts\": [], \"process\": {} }",
		"machine spec: network.interfaces: missing (must be an array of objects)");
	refused("{ \"version\": 1, \"network\": [], " ROOT ", \"mounts\": [], \"process\": {} }",
		"machine spec: network: an array is not allowed (must be an object)");
	refused("{ \"version\": 1, \"sharedPorts\": [ 8080, 0 ] }",
		"machine spec: sharedPorts: 0 is out of range (1 to 65535)");
	refused("{ \"version\": 1, \"sharedPorts\": [ \"http\" ] }",
		"machine spec: sharedPorts: \"http\" is not allowed (must be a list of at most 32 "
		"numbers from 1 to 65535 or ranges such as \"4-7\")");
	refused("[]", "machine spec: must be an object ({ ... })");
	refused("", "machine spec: line 1: '[' or '{' expected near end of file");
	refused("{ \"version\": 1, \"version\": 1 }",
		"machine spec: line 1: duplicate object key near '\"version\"'");
}

static void test_bounds(void **state)
{
	cleanup_free char *text = malloc(MACHINE_SPEC_MAX + 2);
	struct machine_spec spec;
	struct err err;
	size_t len = 0;

	memset(text, ' ', MACHINE_SPEC_MAX + 1);
	text[MACHINE_SPEC_MAX + 1] = '\0';
	refused(text, "machine spec: has 1048577 bytes (at most 1048576)");
	len += (size_t)sprintf(text, "{ \"version\": 1, " NO_NETWORK ", " ROOT ", \"mounts\": [");
	for (int i = 0; i <= MACHINE_MOUNTS_MAX; i++)
		len += (size_t)sprintf(text + len,
			"%s{ \"kind\": \"tmpfs\", \"destination\": \"/%d\" }", i > 0 ? "," : "", i);
	sprintf(text + len, "], \"process\": {} }");
	assert_int_equal(machine_spec_parse(text, strlen(text), &spec, &err), -EINVAL);
	assert_string_equal(err.text, "machine spec: mounts: has 257 entries (at most 256)");
}

static void test_names(void **state)
{
	assert_string_equal(machine_fs_name(MACHINE_VIRTIOFS), "virtiofs");
	assert_string_equal(machine_fs_name(MACHINE_INITRAMFS), "initramfs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused_mounts),
		cmocka_unit_test(test_refused_parts),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
