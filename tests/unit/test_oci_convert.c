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
#include "launcher/oci/oci_seccomp.h"
#include "tests/unit/oci_fixture.h"

/* --- the process ----------------------------------------------------------------------------- */

static void test_the_workload(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *config, *container = oci_converted(
				     "{'hostname': 'web-0', 'process': {'terminal': true,"
				     " 'consoleSize': {'height': 40, 'width': 100},"
				     " 'user': {'uid': 7, 'gid': 8, 'umask': 63, 'additionalGids': "
				     "[9, 4294967294]},"
				     " 'args': ['sh', '-c', 'true'], 'cwd': '/srv', 'env': ['A=1', "
				     "'B=', 'C=x\\ny'],"
				     " 'noNewPrivileges': true,"
				     " 'capabilities': {'bounding': ['CAP_CHOWN', 'CAP_KILL'],"
				     " 'ambient': ['CAP_KILL', 'CAP_SYS_ADMIN']},"
				     " 'rlimits': [{'type': 'RLIMIT_NOFILE', 'soft': 1024, 'hard': "
				     "18446744073709551615}]"
				     "}}",
				     facts, &config);

	oci_expect(container, "hostname", "web-0");
	oci_expect(container, "args", "[ \"sh\", \"-c\", \"true\" ]");
	oci_expect(container, "env", "[ \"A=1\", \"B=\", \"C=x\\ny\" ]");
	oci_expect(container, "process",
		"{ \"cwd\": \"\\/srv\", \"user\": \"7:8\", \"umask\": 63, \"additionalGids\": "
		"[ 9, 4294967294 ], \"terminal\": true, \"rows\": 40, \"columns\": 100, "
		"\"rlimits\": [ { \"type\": \"RLIMIT_NOFILE\", \"soft\": 1024, \"hard\": -1 } ], "
		"\"capabilities\": [ \"CAP_CHOWN\", \"CAP_KILL\" ], \"ambientCapabilities\": "
		"[ \"CAP_KILL\" ], \"noNewPrivileges\": true }");
	oci_expect(config, "process/terminal", "true");
	oci_expect(config, "process/consoleSize/height", "40");
	oci_expect(config, "process/env/2", "TERM=xterm");
	json_object_put(container);
	json_object_put(config);
}

/* What runs on the node's kernel has nothing of the user's but a terminal. */
static void test_the_machine(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *config,
		*container = oci_converted(
			"{'process': {'user': {'uid': 7, 'gid': 8, 'additionalGids': [9], 'umask': "
			"0},"
			" 'env': ['LD_PRELOAD=/evil', 'SLUICE_AGENT=/evil'], 'cwd': '/srv',"
			" 'oomScoreAdj': 5, 'apparmorProfile': 'p', 'selinuxLabel': 'l',"
			" 'rlimits': [{'type': 'RLIMIT_AS', 'soft': 1, 'hard': 1}]}}",
			facts, &config);

	oci_expect(config, "process/args",
		"[ \"\\/usr\\/bin\\/sluice-vm\", \"run\", \"--name=vm0\", "
		"\"--run-dir=\\/run\\/sluice\", \"--container\", "
		"\"\\/sluice\\/container.json\" ]");
	oci_expect(config, "process/user", "{ \"uid\": 0, \"gid\": 0 }");
	oci_expect(config, "process/cwd", "/");
	assert_int_equal(oci_n_items(oci_at(config, "process/env")), 2);
	assert_true(strncmp(oci_text_at(config, "process/env/0"), "PATH=", 5) == 0);
	oci_expect(config, "process/env/1", "TMPDIR=/run/sluice");
	oci_expect(config, "process/rlimits",
		"[ { \"type\": \"RLIMIT_NOFILE\", \"hard\": 20000, \"soft\": 20000 } ]");
	oci_expect(config, "process/oomScoreAdj", "5");
	oci_expect(config, "process/apparmorProfile", "p");
	oci_expect(config, "process/selinuxLabel", "l");
	oci_expect(config, "process/noNewPrivileges", "true");
	oci_expect(config, "root", "{ \"path\": \"\\/bundle\\/sluice\", \"readonly\": true }");
	assert_string_equal(json_object_get_string(json_object_object_get(
				    oci_at(config, "annotations"), OCI_CONVERTED)),
		OCI_CONVERSION);
	json_object_put(container);
	json_object_put(config);
}

/* Never SYS_ADMIN or MKNOD; DAC_READ_SEARCH for NFS alone. */
static void test_capabilities(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *config, *container = oci_converted("{}", facts, &config), *set;

	set = oci_at(config, "process/capabilities/bounding");
	assert_true(oci_has_word(set, "CAP_NET_ADMIN"));
	assert_false(oci_has_word(set, "CAP_SYS_ADMIN"));
	assert_false(oci_has_word(set, "CAP_MKNOD"));
	assert_false(oci_has_word(set, "CAP_DAC_READ_SEARCH"));
	assert_null(oci_at(config, "process/capabilities/ambient"));
	oci_expect(container, "process/capabilities", "[ ]");
	json_object_put(container);
	json_object_put(config);
	container = oci_converted("{'annotations': {'sluice.dev/root': 'nfs'}}", facts, &config);
	set = oci_at(config, "process/capabilities/effective");
	assert_true(oci_has_word(set, "CAP_DAC_READ_SEARCH"));
	json_object_put(container);
	json_object_put(config);
}

static void test_bad_processes(void **state)
{
	static const struct {
		const char *changes;
		int code;
		const char *words;
	} cases[] = {
		{ "{'process': null}", -EINVAL, "process: missing" },
		{ "{'process': []}", -EINVAL, "process: must be an object" },
		{ "{'process': {'args': null}}", -EINVAL, "process.args: has no command" },
		{ "{'process': {'args': [1]}}", -EINVAL, "process.args[0]: must be a string" },
		{ "{'process': {'args': ['a\\u0000b']}}", -EINVAL, "process.args[0]: has a NUL" },
		{ "{'process': {'env': ['A\\u0000=1']}}", -EINVAL, "process.env[0]: has a NUL" },
		{ "{'process': {'env': ['A']}}", -EINVAL, "process.env[0]: is not NAME=VALUE" },
		{ "{'process': {'cwd': 'srv'}}", -EINVAL, "process.cwd" },
		{ "{'process': {'cwd': null}}", -EINVAL, "process.cwd" },
		{ "{'process': {'cwd': '/a\\nb'}}", -EINVAL, "process.cwd: has a control" },
		{ "{'process': {'user': {'uid': -1}}}", -ERANGE, "process.user.uid: -1" },
		{ "{'process': {'user': {'uid': 4294967295}}}", -ERANGE, "process.user.uid" },
		{ "{'process': {'user': {'gid': '0'}}}", -EINVAL, "must be a whole number" },
		{ "{'process': {'user': {'umask': 512}}}", -ERANGE, "process.user.umask" },
		{ "{'process': {'user': {'additionalGids': [-1]}}}", -ERANGE,
			"process.user.additionalGids[0]: -1" },
		{ "{'process': {'terminal': 1}}", -EINVAL, "must be true or false" },
		{ "{'process': {'rlimits': [{'type': 'RLIMIT_X', 'soft': 1, 'hard': 1}]}}", -EINVAL,
			"\"RLIMIT_X\" is not allowed" },
		{ "{'process': {'rlimits': [{'type': 'RLIMIT_AS', 'soft': 2, 'hard': 1}]}}",
			-EINVAL, "RLIMIT_AS: soft is above hard" },
		{ "{'process': {'rlimits': [{'type': 'RLIMIT_AS'}, {'type': 'RLIMIT_AS'}]}}",
			-EINVAL, "RLIMIT_AS is there twice" },
		{ "{'process': {'rlimits': [{'type': 'RLIMIT_AS', 'soft': 1e3}]}}", -EINVAL,
			"must be a whole number" },
		{ "{'process': {'capabilities': {'bounding': ['CAP_X']}}}", -EINVAL,
			"process.capabilities.bounding[0]" },
		{ "{'hostname': 'a b'}", -EINVAL, "hostname" },
		{ "{'hostname': 7}", -EINVAL, "hostname: must be a string" },
		{ "{'root': null}", -EINVAL, "root.path: missing" },
		{ "{'root': {'path': ''}}", -EINVAL, "root.path: missing" },
		{ "{'root': {'path': 7}}", -EINVAL, "root.path: must be a string" },
		{ "{'root': {'readonly': 'yes'}}", -EINVAL, "root.readonly" },
	};
	struct oci_facts *facts = oci_fixture(NULL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		oci_refused(cases[i].changes, facts, cases[i].code, cases[i].words);
}

/* The engine's goes with its mount; what is the image's own stays. */
static void test_init(void **state)
{
	static const char mounted[] =
		"{'process': {'args': ['/run/podman-init', '--', 'nginx', '--']}, 'mounts': ["
		"{'destination': '/a', 'type': 'bind', 'source': '/a'},"
		"{'destination': '/run/podman-init', 'type': 'bind', 'source': '/i'}]}";
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *container = oci_converted(mounted, facts, NULL);

	oci_expect(container, "args", "[ \"nginx\", \"--\" ]");
	oci_expect(container, "process/init", "true");
	oci_expect(container, "volumes/0/destination", "/a");
	assert_null(oci_at(container, "volumes/1"));
	json_object_put(container);
	container = oci_converted(
		"{'process': {'args': ['/run/podman-init', '--', 'nginx']}}", facts, NULL);
	oci_expect(container, "args", "[ \"\\/run\\/podman-init\", \"--\", \"nginx\" ]");
	assert_null(oci_at(container, "process/init"));
	json_object_put(container);
}

/* --- settings and sizes ---------------------------------------------------------------------- */

static void test_settings(void **state)
{
	struct runtime_settings *settings;
	struct oci_facts *facts = oci_fixture(&settings);
	json_object *container =
		oci_converted("{'annotations': {'sluice.dev/vmm': 'uml', 'other/key': 7,"
			      " 'sluice.dev/memory': '448'}}",
			facts, NULL);

	oci_expect(container, "settings", "{ \"vmm\": \"uml\", \"memory\": \"448\" }");
	json_object_put(container);
	oci_refused("{'annotations': {'sluice.dev/vmm': 'xen'}}", facts, -EINVAL,
		"sluice.dev/vmm: \"xen\" is not allowed (must be \"auto\", \"qemu\"");
	oci_refused("{'annotations': {'sluice.dev/kernel': '/x'}}", facts, -EPERM,
		"sluice.dev/kernel: is the administrator's to set");
	oci_refused("{'annotations': {'sluice.dev/virtiofsd': '/x'}}", facts, -EPERM,
		"sluice.dev/virtiofsd: is the administrator's to set");
	oci_refused("{'annotations': {'sluice.dev/cpus': 2}}", facts, -EINVAL,
		"sluice.dev/cpus: must be a string");
	oci_refused("{'annotations': {'sluice.dev/a\\nb': '2'}}", facts, -EINVAL,
		"a key has a control character");
	strcpy(settings->annotations, "modules-dir,kernel");
	oci_refused("{'annotations': {'sluice.dev/vmm': 'uml'}}", facts, -EPERM,
		"sluice.dev/vmm: \"uml\" is the administrator's to set");
	oci_refused("{'annotations': {'sluice.dev/root': 'nfs'}}", facts, -EPERM,
		"sluice.dev/root: \"nfs\" is the administrator's to set");
	container = oci_converted("{'annotations': {'sluice.dev/kernel': '/x'}}", facts, NULL);
	oci_expect(container, "settings", "{ \"kernel\": \"\\/x\" }");
	json_object_put(container);
}

static void expect_sizes(const struct oci_facts *facts, const char *resources, const char *settings)
{
	char changes[512];
	json_object *container;

	snprintf(changes, sizeof(changes), "{'linux': {'resources': %s}}", resources);
	container = oci_converted(changes, facts, NULL);
	if (strcmp(oci_text_at(container, "settings"), settings) != 0)
		fail_msg("%s: %s", resources, oci_text_at(container, "settings"));
	json_object_put(container);
}

static void test_sizes(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);

	expect_sizes(facts, "{}", "{ }");
	expect_sizes(facts, "null", "{ }");
	expect_sizes(facts, "{'memory': {'limit': 536870912}}", "{ \"memory\": \"411\" }");
	expect_sizes(facts, "{'memory': {'limit': 8589934592}}", "{ \"memory\": \"8002\" }");
	expect_sizes(facts, "{'memory': {'limit': 168820736}}", "{ \"memory\": \"64\" }");
	expect_sizes(facts, "{'memory': {'limit': -1}}", "{ }");
	expect_sizes(facts, "{'memory': {'limit': 9223372036854771712}}", "{ }");
	expect_sizes(facts, "{'memory': {'limit': 18446744073709551615}}", "{ }");
	expect_sizes(facts, "{'cpu': {'quota': 150000, 'period': 100000}}", "{ \"cpus\": \"2\" }");
	expect_sizes(facts, "{'cpu': {'quota': 100000, 'period': 100000}}", "{ \"cpus\": \"1\" }");
	expect_sizes(facts, "{'cpu': {'quota': 1}}", "{ \"cpus\": \"1\" }");
	/* Without a limit, as many as it may run on; never more. */
	expect_sizes(facts, "{'cpu': {'cpus': '0-2,8'}}", "{ \"cpus\": \"4\" }");
	expect_sizes(facts, "{'cpu': {'cpus': '3', 'quota': 200000}}", "{ \"cpus\": \"1\" }");
	expect_sizes(facts, "{'cpu': {'cpus': '0-7', 'quota': 200000}}", "{ \"cpus\": \"2\" }");
	expect_sizes(facts, "{'cpu': {'cpus': ''}}", "{ }");
	expect_sizes(facts, "{'cpu': {'cpus': '7-3'}}", "{ }");
	expect_sizes(facts, "{'cpu': {'cpus': '0-99999999999999999999'}}", "{ }");
	expect_sizes(facts, "{'cpu': {'cpus': '1,x'}}", "{ }");
	expect_sizes(facts, "{'cpu': {'quota': -1, 'period': 100000}}", "{ }");
	expect_sizes(facts, "{'cpu': {'quota': 9223372036854775807, 'period': 1}}",
		"{ \"cpus\": \"256\" }");
	oci_refused("{'linux': {'resources': {'memory': {'limit': 168820735}}}}", facts, -ENOTSUP,
		"160 MiB are too little for a guest of 64 MiB and 97 MiB of overhead: give the "
		"container 161 MiB or more");
	oci_refused("{'linux': {'resources': {'memory': {'limit': '1g'}}}}", facts, -EINVAL,
		"linux.resources.memory.limit: must be a whole number");
	oci_refused("{'annotations': {'sluice.dev/memory': '512'},"
		    " 'linux': {'resources': {'memory': {'limit': 536870912}}}}",
		facts, -ENOTSUP, "512 MiB are too little for a guest of 512 MiB");
}

/* The RuntimeClass accounts for it: the guest has the limit, the container more. */
static void test_overhead_outside(void **state)
{
	struct runtime_settings *settings;
	struct oci_facts *facts = oci_fixture(&settings);
	json_object *config, *container;

	settings->memory_outside = true;
	container = oci_converted("{'linux': {'resources': {'memory': {'limit': 536870912,"
				  " 'swap': 1073741824}}}}",
		facts, &config);
	oci_expect(container, "settings", "{ \"memory\": \"506\" }");
	oci_expect(
		config, "linux/resources/memory", "{ \"limit\": 637534208, \"swap\": 1174405120 }");
	json_object_put(container);
	json_object_put(config);
}

/* --- the node -------------------------------------------------------------------------------- */

static void test_devices(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *config;

	facts->has_kvm = true;
	json_object_put(oci_converted(
		"{'linux': {'devices': [{'path': '/dev/kvm', 'type': 'c', 'major': 10,"
		" 'minor': 232, 'fileMode': 432}]}}",
		facts, &config));
	oci_expect(config, "linux/devices/0/fileMode", "432");
	oci_expect(config, "linux/devices/1/path", "/dev/net/tun");
	assert_int_equal(oci_n_items(oci_at(config, "linux/devices")), 2);
	oci_expect(config, "linux/resources/devices",
		"[ { \"allow\": true, \"type\": \"c\", \"major\": 10, \"minor\": 232, "
		"\"access\": \"rw\" }, { \"allow\": true, \"type\": \"c\", \"major\": 10, "
		"\"minor\": 200, \"access\": \"rw\" } ]");
	json_object_put(config);
	facts->has_kvm = facts->has_tun = false;
	json_object_put(oci_converted("{}", facts, &config));
	assert_int_equal(oci_n_items(oci_at(config, "linux/devices")), 0);
	json_object_put(config);
}

/* A path of the user's would be one of our root's. */
static void test_masked_paths(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *config;

	json_object_put(oci_converted(
		"{'linux': {'maskedPaths': ['/proc/kcore', '/usr/bin', '/proc/../usr'],"
		" 'readonlyPaths': ['/sys/firmware', '/run'], 'rootfsPropagation': 'shared',"
		" 'personality': {'domain': 'LINUX32'}, 'cgroupsPath': '/c', 'sysctl': {'a': "
		"'b'}}}",
		facts, &config));
	oci_expect(config, "linux/maskedPaths", "[ \"\\/proc\\/kcore\" ]");
	oci_expect(config, "linux/readonlyPaths", "[ \"\\/sys\\/firmware\" ]");
	oci_expect(config, "linux/cgroupsPath", "/c");
	oci_expect(config, "linux/sysctl/a", "b");
	assert_null(oci_at(config, "linux/rootfsPropagation"));
	assert_null(oci_at(config, "linux/personality"));
	json_object_put(config);
	oci_refused("{'linux': {'maskedPaths': [7]}}", facts, -EINVAL, "maskedPaths[0]");
}

/* --- the seccomp profile --------------------------------------------------------------------- */

/* The group that has a call's name, and allows or refuses it. */
static const char *action_of(json_object *profile, const char *call)
{
	json_object *groups = oci_at(profile, "syscalls");

	for (size_t i = 0; i < oci_n_items(groups); i++) {
		json_object *group = json_object_array_get_idx(groups, i);

		if (oci_has_word(oci_at(group, "names"), call))
			return oci_text_at(group, "action");
	}
	return "";
}

static void test_seccomp(void **state)
{
	static const char *const allowed[] = { "open_by_handle_at", "name_to_handle_at", "unshare",
		"ptrace", "personality", "modify_ldt", "arch_prctl", "chroot", "memfd_create" };
	static const char *const refused[] = { "mount", "setns", "bpf", "keyctl", "reboot",
		"kexec_load", "init_module", "userfaultfd", "clock_settime", "swapon" };
	static const char *const unknown[] = { "clone3", "io_uring_setup" };
	struct oci_facts *facts = oci_fixture(NULL);
	json_object *profile = oci_seccomp_profile(), *config;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		assert_string_equal(action_of(profile, allowed[i]), "SCMP_ACT_ALLOW");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_string_equal(action_of(profile, refused[i]), "SCMP_ACT_ERRNO");
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_string_equal(action_of(profile, unknown[i]), "");
	oci_expect(profile, "defaultAction", "SCMP_ACT_ERRNO");
	oci_expect(profile, "defaultErrnoRet", "38");
	json_object_put(oci_converted(
		"{'linux': {'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW'}}}", facts, &config));
	assert_true(json_object_equal(oci_at(config, "linux/seccomp"), profile));
	json_object_put(config);
	json_object_put(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_workload),
		cmocka_unit_test(test_the_machine),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_bad_processes),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_overhead_outside),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_masked_paths),
		cmocka_unit_test(test_seccomp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
