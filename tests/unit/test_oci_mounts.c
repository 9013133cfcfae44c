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

#include "launcher/oci/oci_json.h"
#include "tests/unit/oci_fixture.h"

static void test_volumes(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *config,
		*container = oci_converted(
			"{'annotations': {'sluice.dev/volumes': '/data=nfs,/a=b=optional'},"
			" 'mounts': ["
			"{'destination': '/data', 'type': 'bind', 'source': '/s/0', 'options':"
			" ['rbind', 'rprivate', 'ro', 'noexec']},"
			"{'destination': '/scratch', 'type': 'tmpfs', 'source': 'tmpfs', 'options':"
			" ['nosuid', 'size=64m', 'tmpcopyup', 'mode=700', 'rw']},"
			"{'destination': '/a=b', 'type': 'none', 'source': '/s/1', 'options': "
			"['bind']},"
			"{'destination': '/data/in', 'type': 'bind', 'source': '/s/2'},"
			"{'destination': '/o', 'type': 'overlay', 'source': 'overlay', 'options':"
			" ['lowerdir=/x', 'private']}]}",
			facts, &config);

	oci_expect(container, "volumes/0",
		"{ \"kind\": \"nfs\", \"destination\": \"\\/data\", \"options\": \"noexec\", "
		"\"readonly\": true }");
	oci_expect(container, "volumes/1",
		"{ \"kind\": \"tmpfs\", \"destination\": \"\\/scratch\", \"options\": "
		"\"nosuid,size=64m,mode=700\" }");
	oci_expect(container, "volumes/2",
		"{ \"kind\": \"virtiofs\", \"destination\": \"\\/a=b\", \"optional\": true }");
	oci_expect(container, "volumes/3/destination", "/data/in");
	oci_expect(oci_mount_at(config, "/sluice/share/vol/0"), "source", "/s/0");
	oci_expect(oci_mount_at(config, "/sluice/share/vol/0"), "options",
		"[ \"rbind\", \"ro\", \"rslave\", \"nosuid\", \"nodev\", \"noexec\" ]");
	oci_expect(oci_mount_at(config, "/sluice/share/vol/1"), "source", "/s/1");
	oci_expect(oci_mount_at(config, "/sluice/share/vol/2"), "options",
		"[ \"rbind\", \"rslave\", \"nosuid\", \"nodev\", \"noexec\" ]");
	oci_expect(oci_mount_at(config, "/sluice/share/vol/3"), "options",
		"[ \"lowerdir=\\/x\", \"rslave\", \"nosuid\", \"nodev\", \"noexec\" ]");
	assert_null(oci_mount_at(config, "/sluice/share/vol/4"));
	assert_null(oci_mount_at(config, "/data"));
	assert_null(oci_mount_at(config, "/scratch"));
	json_object_put(container);
	json_object_put(config);
}

/* A name that leads elsewhere, or that the user took from us, is one in the guest. */
static void test_no_destination_is_the_users(void **state)
{
	static const char *const places[] = { "/usr/bin", "/sluice/share/vol/0", "/etc/../usr",
		"//proc", "/dev/../sluice", "/etc/sluice", "/run" };
	struct oci_facts *facts = oci_fixture(NULL);

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		json_object *config, *container, *mounts;
		char changes[256];

		snprintf(changes, sizeof(changes),
			"{'mounts': [{'destination': '%s', 'type': 'bind', 'source': '/evil'}]}",
			places[i]);
		container = oci_converted(changes, facts, &config);
		mounts = oci_at(config, "mounts");
		for (size_t j = 0; j < oci_n_items(mounts); j++) {
			json_object *mount = json_object_array_get_idx(mounts, j);

			if (strcmp(oci_text_at(mount, "source"), "/evil") == 0)
				oci_expect(mount, "destination", "/sluice/share/vol/0");
		}
		oci_expect(container, "volumes/0/destination", places[i]);
		json_object_put(container);
		json_object_put(config);
	}
}

static void test_root(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *config,
		*container = oci_converted(
			"{'root': {'path': 'rootfs', 'readonly': true}}", facts, &config);

	oci_expect(oci_mount_at(config, "/sluice/share/rootfs"), "source", "/bundle/rootfs");
	oci_expect(oci_mount_at(config, "/sluice/share/rootfs"), "options",
		"[ \"rbind\", \"rslave\", \"nosuid\", \"nodev\", \"noexec\", \"ro\" ]");
	oci_expect(container, "readonly", "true");
	oci_expect(container, "share", "/sluice/share");
	json_object_put(container);
	json_object_put(config);
}

static void test_files_of_the_pod(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *config,
		*container = oci_converted(
			"{'mounts': [{'destination': '/etc/hosts', 'type': 'bind', 'source': '/h',"
			" 'options': ['bind', 'rw', 'rshared']}]}",
			facts, &config);

	oci_expect(oci_mount_at(config, "/etc/hosts"), "source", "/h");
	oci_expect(oci_mount_at(config, "/etc/hosts"), "options",
		"[ \"bind\", \"ro\", \"rslave\", \"nosuid\", \"nodev\", \"noexec\" ]");
	oci_expect(container, "volumes", "[ ]");
	json_object_put(container);
	json_object_put(config);
}

static void test_shared_memory(void **state)
{
	static const char bound[] = "{'annotations': {'sluice.dev/memory': '448'}, 'mounts': ["
				    "{'destination': '/dev/shm', 'type': 'bind', 'source': '/s',"
				    " 'options': ['bind', 'noexec']}]}";
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *config, *container = oci_converted(bound, facts, &config);

	assert_null(oci_mount_at(config, "/dev/shm"));
	oci_expect(container, "volumes/0/kind", "tmpfs");
	oci_expect(container, "volumes/0/options", "noexec,mode=1777,size=65536000");
	json_object_put(container);
	json_object_put(config);
	facts->shm_bytes = 0;
	container = oci_converted(bound, facts, NULL);
	oci_expect(container, "volumes/0/options", "noexec,mode=1777");
	json_object_put(container);
	/* A directory of the node's that is no memory is a volume as any other. */
	facts->shm_is_memory = false;
	container = oci_converted(bound, facts, &config);
	oci_expect(container, "volumes/0/kind", "virtiofs");
	oci_expect(oci_mount_at(config, "/sluice/share/vol/0"), "source", "/s");
	json_object_put(container);
	json_object_put(config);
	container = oci_converted("{'mounts': [{'destination': '/dev/shm', 'type': 'tmpfs',"
				  " 'options': ['size=65536k', 'noexec']}]}",
		facts, &config);
	assert_null(oci_mount_at(config, "/dev/shm"));
	oci_expect(container, "volumes/0/options", "size=65536k,noexec");
	json_object_put(container);
	json_object_put(config);
}

static void test_an_image_for_a_machine_root(void **state)
{
	static const char *const dirs[] = { "opt", NULL };
	struct runtime_settings *settings;
	struct oci_facts *facts = oci_fixture(&settings);
	json_object *config;

	strcpy(settings->machine_root, "/opt/sluice/root");
	strcpy(settings->machine_binds, "/srv/kernels,,/opt/more");
	facts->machine_dirs = dirs;
	facts->has_config = true;
	json_object_put(oci_converted("{}", facts, &config));
	oci_expect(oci_mount_at(config, "/usr"), "source", "/opt/sluice/root/usr");
	oci_expect(oci_mount_at(config, "/opt"), "source", "/opt/sluice/root/opt");
	oci_expect(oci_mount_at(config, "/etc/ld.so.cache"), "source",
		"/opt/sluice/root/etc/ld.so.cache");
	oci_expect(oci_mount_at(config, "/etc/sluice"), "source", "/etc/sluice");
	oci_expect(oci_mount_at(config, "/srv/kernels"), "options",
		"[ \"rbind\", \"ro\", \"rslave\", \"nosuid\", \"nodev\" ]");
	oci_expect(oci_mount_at(config, "/opt/more"), "source", "/opt/more");
	json_object_put(config);
	strcpy(settings->machine_binds, "srv");
	oci_refused("{}", facts, -EINVAL, "machine-binds: \"srv\"");
	strcpy(settings->machine_binds, "//");
	oci_refused("{}", facts, -EINVAL, "machine-binds: \"//\"");
}

static void test_bad_mounts(void **state)
{
	static const struct {
		const char *mount;
		int code;
		const char *words;
	} cases[] = {
		{ "7", -EINVAL, "mounts[0]: must be an object" },
		{ "{}", -EINVAL, "mounts[].destination: must be an absolute path" },
		{ "{'destination': 'data'}", -EINVAL, "must be an absolute path" },
		{ "{'destination': '//'}", -EINVAL, "is the root itself" },
		{ "{'destination': '/a\\nb'}", -EINVAL, "has a control character" },
		{ "{'destination': '/a', 'type': 'bind'}", -EINVAL, "/a: has no source" },
		{ "{'destination': '/a', 'options': 'ro'}", -EINVAL, "must be an array" },
		{ "{'destination': '/a', 'options': [null]}", -EINVAL, "options[0]: must be a" },
		{ "{'destination': '/a', 'type': 'ext4', 'source': '/dev/sda'}", -ENOTSUP,
			"type \"ext4\" cannot be given to a VM" },
		{ "{'destination': '/usr', 'type': 'proc', 'source': 'proc'}", -ENOTSUP,
			"type \"proc\" cannot" },
		{ "{'destination': '/sys', 'type': 'bind', 'source': '/sys'}", -ENOTSUP,
			"/sys: is the guest kernel's own" },
		{ "{'destination': '/proc/meminfo', 'type': 'bind', 'source': '/x'}", -ENOTSUP,
			"/proc/meminfo: is the guest kernel's own" },
	};
	struct oci_facts *facts = oci_fixture(NULL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char changes[256];

		snprintf(changes, sizeof(changes), "{'mounts': [%s]}", cases[i].mount);
		oci_refused(changes, facts, cases[i].code, cases[i].words);
	}
	oci_refused("{'mounts': {}}", facts, -EINVAL, "mounts: must be an array");
}

/* `n` volumes, as changes for oci_container(); to be freed. */
static char *many_volumes(unsigned n)
{
	char *text = malloc(64 + 80 * (size_t)n), *at = text;

	assert_non_null(text);
	at += sprintf(at, "{'mounts': [");
	for (unsigned i = 0; i < n; i++)
		at += sprintf(at, "%s{'destination': '/v%u', 'type': 'bind', 'source': '/s'}",
			i > 0 ? "," : "", i);
	sprintf(at, "]}");
	return text;
}

static void test_many_mounts(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);
	char *most = many_volumes(256), *more = many_volumes(257), *absurd = many_volumes(5000);
	json_object *config, *container = oci_converted(most, facts, &config);

	assert_int_equal(oci_n_items(oci_at(container, "volumes")), 256);
	assert_non_null(oci_mount_at(config, "/sluice/share/vol/255"));
	json_object_put(container);
	json_object_put(config);
	oci_refused(more, facts, -E2BIG, "mounts: more than 256 volumes");
	oci_refused(absurd, facts, -E2BIG, "mounts: more than 1024");
	free(most);
	free(more);
	free(absurd);
}

static void test_bad_volumes(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "must be DESTINATION=WORDS" },
		{ "/data", "\"/data\" is not allowed" },
		{ "data=nfs", "\"data=nfs\" is not allowed" },
		{ "/data=", "\"\" is not allowed (must be \"nfs\"" },
		{ "/data=9p", "\"9p\" is not allowed" },
		{ "/data=nfs+", "\"\" is not allowed" },
		{ "/data=nfs,/data=optional", "/data is there twice" },
		{ "/dat=nfs", "/dat: no volume is mounted there" },
		{ "/scratch=nfs", "/scratch: is memory" },
	};
	struct oci_facts *facts = oci_fixture(NULL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char changes[512];

		snprintf(changes, sizeof(changes),
			"{'annotations': {'sluice.dev/volumes': '%s'}, 'mounts': ["
			"{'destination': '/data', 'type': 'bind', 'source': '/s'},"
			"{'destination': '/scratch', 'type': 'tmpfs', 'source': 'tmpfs'}]}",
			cases[i].text);
		oci_refused(changes, facts, -EINVAL, cases[i].words);
	}
}

/* Its server has the machine root's files by their handles: not for any pod to start. */
static void test_nfs_is_the_administrators(void **state)
{
	static const char mount[] =
		"'mounts': [{'destination': '/d', 'type': 'bind', 'source': '/s'}]";
	struct runtime_settings *settings;
	struct oci_facts *facts = oci_fixture(&settings);
	char changes[256];

	strcpy(settings->annotations, "root");
	snprintf(changes, sizeof(changes),
		"{'annotations': {'sluice.dev/volumes': '/d=nfs+optional'}, %s}", mount);
	oci_refused(changes, facts, -EPERM,
		"sluice.dev/volumes: is the administrator's to set, who may let pods");
	snprintf(changes, sizeof(changes),
		"{'annotations': {'sluice.dev/volumes': '/d=optional'}, %s}", mount);
	json_object_put(oci_converted(changes, facts, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_no_destination_is_the_users),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_files_of_the_pod),
		cmocka_unit_test(test_shared_memory),
		cmocka_unit_test(test_an_image_for_a_machine_root),
		cmocka_unit_test(test_bad_mounts),
		cmocka_unit_test(test_many_mounts),
		cmocka_unit_test(test_bad_volumes),
		cmocka_unit_test(test_nfs_is_the_administrators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
