/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/oci_fixture.h"

static int decision(const char *changes, const struct oci_facts *facts)
{
	json_object *config = oci_container(changes);
	struct err err = { "" };
	int ret = oci_decide(config, facts, &err);

	if (ret < 0)
		fail_msg("%s: %s", changes, err.text);
	json_object_put(config);
	return ret;
}

/* --- which containers ------------------------------------------------------------------------ */

static void test_opting_in(void **state)
{
	struct runtime_settings *settings;
	struct oci_facts *facts = oci_fixture(&settings);

	assert_int_equal(decision("{}", facts), OCI_CONVERT);
	assert_int_equal(decision("{'annotations': {'sluice.dev/vm': 'false'}}", facts), OCI_PASS);
	assert_int_equal(decision("{'annotations': {'sluice.dev/vm': null}}", facts), OCI_PASS);
	assert_int_equal(decision("{'annotations': null}", facts), OCI_PASS);
	settings->always = true;
	assert_int_equal(decision("{'annotations': null}", facts), OCI_CONVERT);
	assert_int_equal(
		decision("{'annotations': {'sluice.dev/vm': 'false'}}", facts), OCI_CONVERT);
}

#define CONTAINERD "{'annotations': {'io.kubernetes.cri.container-type': 'sandbox'}}"
#define CRIO       "{'annotations': {'io.kubernetes.cri-o.ContainerType': 'sandbox'}}"

/* Whatever else a pod says, and even where everything becomes a VM; but nobody can say so himself
 * through an engine that does not. */
static void test_sandboxes(void **state)
{
	static const struct {
		enum oci_engine engine;
		bool always;
		const char *changes;
		int decision;
	} cases[] = {
		{ OCI_ENGINE_CONTAINERD, true, CONTAINERD, OCI_PASS },
		{ OCI_ENGINE_CONTAINERD, false, CONTAINERD, OCI_PASS },
		{ OCI_ENGINE_CONTAINERD, true, CRIO, OCI_CONVERT },
		{ OCI_ENGINE_CRIO, true, CRIO, OCI_PASS },
		{ OCI_ENGINE_CRIO, true, CONTAINERD, OCI_CONVERT },
		{ OCI_ENGINE_PODMAN, true, CRIO, OCI_CONVERT },
		{ OCI_ENGINE_PODMAN, true, CONTAINERD, OCI_CONVERT },
		{ OCI_ENGINE_PODMAN, true, "{'process': {'args': ['/catatonit', '-P']}}",
			OCI_CONVERT },
		{ OCI_ENGINE_UNKNOWN, true, CRIO, OCI_CONVERT },
		{ OCI_ENGINE_UNKNOWN, true, CONTAINERD, OCI_CONVERT },
		/* They could as well have left sluice.dev/vm out. */
		{ OCI_ENGINE_UNKNOWN, false, CRIO, OCI_PASS },
		{ OCI_ENGINE_UNKNOWN, false, CONTAINERD, OCI_PASS },
	};
	struct runtime_settings *settings;
	struct oci_facts *facts = oci_fixture(&settings);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		settings->always = cases[i].always;
		facts->engine = cases[i].engine;
		if (decision(cases[i].changes, facts) != cases[i].decision)
			fail_msg("case %zu: %s", i, cases[i].changes);
	}
}

/* podman's infra container is named after its pod's ID, which no manifest knows. */
static void test_infra_containers(void **state)
{
	static const struct {
		const char *name, *cgroups;
		int decision;
	} cases[] = {
		{ "0123456789ab-infra", "/libpod_parent/0123456789abcdef/libpod-fe", OCI_PASS },
		{ "0123456789ab-infra", "machine-libpod_pod_0123456789abcdef.slice:libpod:fedcba98",
			OCI_PASS },
		{ "0123456789ab-infra", "/a0123456789ab/0123456789ab/libpod-f", OCI_PASS },
		{ "0123456789ab-infra", "/libpod_parent/1123456789abcdef/libpod-fe", OCI_CONVERT },
		{ "0123456789ab-infra", "/libpod_parent/f0123456789ab/libpod-fe", OCI_CONVERT },
		{ "0123456789ab-infra", "/libpod_parent/libpod-0123456789ab", OCI_CONVERT },
		{ "0123456789ab-infra", "0123456789ab", OCI_CONVERT },
		{ "0123456789ab-infra", "", OCI_CONVERT },
		{ "0123456789ab-app", "/libpod_parent/0123456789abcdef/libpod-fe", OCI_CONVERT },
		{ "0123456789ab-infra-", "/libpod_parent/0123456789abcdef/libpod-fe", OCI_CONVERT },
		{ "-infra", "/libpod_parent/0123456789abcdef/libpod-fe", OCI_CONVERT },
		{ "web-infra", "/web/libpod-fe", OCI_CONVERT },
		{ NULL, "/libpod_parent/0123456789abcdef/libpod-fe", OCI_CONVERT },
	};
	struct runtime_settings *settings;
	struct oci_facts *facts = oci_fixture(&settings);

	settings->always = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char changes[128];

		snprintf(changes, sizeof(changes), "{'linux': {'cgroupsPath': '%s'}}",
			cases[i].cgroups);
		facts->container_name = cases[i].name;
		facts->engine = OCI_ENGINE_PODMAN;
		if (decision(changes, facts) != cases[i].decision)
			fail_msg("case %zu: %s in %s", i, cases[i].name, cases[i].cgroups);
		facts->engine = OCI_ENGINE_CRIO;
		assert_int_equal(decision(changes, facts), OCI_CONVERT);
	}
	facts->engine = OCI_ENGINE_PODMAN;
	facts->container_name = "0123456789ab-infra";
	assert_int_equal(decision("{'linux': {'cgroupsPath': null}}", facts), OCI_CONVERT);
	oci_refused("{'linux': {'cgroupsPath': 7}}", facts, -EINVAL,
		"linux.cgroupsPath: must be a string");
}

static void test_names_that_engines_write_down(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);

	facts->container_name = "other"; /* of an engine that says it twice */
	assert_int_equal(decision("{'annotations': {'sluice.dev/vm': 'web',"
				  " 'io.kubernetes.cri.container-name': 'web'}}",
				 facts),
		OCI_CONVERT);
	assert_int_equal(decision("{'annotations': {'sluice.dev/vm': 'web',"
				  " 'io.kubernetes.container.name': 'web'}}",
				 facts),
		OCI_CONVERT);
	assert_int_equal(decision("{'annotations': {'sluice.dev/vm': 'web',"
				  " 'io.kubernetes.cri.container-name': 'my-web'}}",
				 facts),
		OCI_PASS);
}

/* podman's are POD-CONTAINER, and of the pod the hostname is known. */
static void test_names_of_podman(void **state)
{
	static const struct {
		const char *name, *hostname;
		int decision;
	} cases[] = {
		{ "web", "x", OCI_CONVERT },
		{ "pod-web", "pod", OCI_CONVERT },
		{ "pod-my-web", "pod", OCI_PASS },
		{ "pod-a-web", "pod-a", OCI_CONVERT },
		{ "pod-web", "named-otherwise", OCI_CONVERT },
		{ "pod-web2", "pod", OCI_PASS },
		{ "-web", "pod", OCI_PASS },
		{ "pod", "pod", OCI_PASS },
	};
	struct oci_facts *facts = oci_fixture(NULL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char changes[128];

		snprintf(changes, sizeof(changes),
			"{'hostname': '%s', 'annotations': {'sluice.dev/vm': 'web'}}",
			cases[i].hostname);
		facts->container_name = cases[i].name;
		if (decision(changes, facts) != cases[i].decision)
			fail_msg("%s in %s", cases[i].name, cases[i].hostname);
	}
	facts->container_name = "pod-my-web";
	assert_int_equal(decision("{'process': {'env': ['A=1', 'HOSTNAME=pod']}, 'annotations':"
				  " {'sluice.dev/vm': 'web'}}",
				 facts),
		OCI_PASS);
}

/* Who is in no pod must be meant himself. */
static void test_name_of_nobody(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);

	facts->container_name = "web";
	oci_refused("{'annotations': {'sluice.dev/vm': 'wed', 'io.container.manager': 'libpod'}}",
		facts, -EINVAL, "\"wed\" is not the name of this container, \"web\"");
	assert_int_equal(decision("{'annotations': {'sluice.dev/vm': 'wed',"
				  " 'io.container.manager': 'libpod',"
				  " 'io.kubernetes.cri-o.ContainerType': 'container'}}",
				 facts),
		OCI_PASS);
}

static void test_malformed_annotations(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);

	oci_refused("{'annotations': {'sluice.dev/vm': 'web'}}", facts, -EINVAL,
		"sluice.dev/vm: \"web\": the engine did not say this container's name");
	facts->container_name = "web";
	oci_refused("{'annotations': {'sluice.dev/vm': ''}}", facts, -EINVAL,
		"must be \"true\", \"false\" or the name");
	oci_refused("{'annotations': {'sluice.dev/vm': 'True'}}", facts, -EINVAL, "\"True\"");
	oci_refused("{'annotations': {'sluice.dev/vm': 'a b'}}", facts, -EINVAL, "\"a b\"");
	oci_refused("{'annotations': {'sluice.dev/vm': 'a\\nb'}}", facts, -EINVAL,
		"sluice.dev/vm: has a control character");
	oci_refused("{'annotations': {'sluice.dev/vm': true}}", facts, -EINVAL,
		"sluice.dev/vm: must be a string");
	oci_refused("{'annotations': []}", facts, -EINVAL, "annotations: must be an object");
	oci_refused("{'annotations': {'sluice.dev/converted': 'true'}}", facts, -EINVAL,
		"sluice.dev/converted: is for Sluice to set");
}

/* A pod's annotations are looked at for each of its containers: a slip of the pen in sluice.dev/vm
 * would otherwise make a container of what was to be a VM. */
static void test_unknown_keys_of_containers_that_pass(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);

	oci_refused("{'annotations': {'sluice.dev/vm': null, 'sluice.dev/vn': 'true'}}", facts,
		-EINVAL, "sluice.dev/vn: unknown key");
	oci_refused("{'annotations': {'sluice.dev/vm': 'false', 'sluice.dev/memory': 'much'}}",
		facts, -EINVAL, "sluice.dev/memory");
}

/* --- what cannot be a VM --------------------------------------------------------------------- */

static void test_namespaces_of_the_node(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);

	oci_refused("{'linux': {'namespaces': [{'type': 'pid'}]}}", facts, -ENOTSUP,
		"the container has the node's network (hostNetwork, --network host)");
	oci_refused("{'linux': null}", facts, -ENOTSUP, "the node's network");
	oci_refused("{'linux': {'namespaces': [{'type': 'network'}]}}", facts, -ENOTSUP,
		"the node's processes");
	oci_refused("{'linux': {'namespaces': [{'type': 'pid'}, {'type': 'network'}, "
		    "{'type': 'user'}]}}",
		facts, -ENOTSUP, "a user namespace");
	oci_refused("{'linux': {'namespaces': [7]}}", facts, -EINVAL,
		"linux.namespaces[0]: must be an object");
	oci_refused("{'linux': {'namespaces': {}}}", facts, -EINVAL,
		"linux.namespaces: must be an array");
}

static void test_privileged_containers(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);

	oci_refused("{'annotations': {'io.podman.annotations.privileged': 'TRUE'}}", facts,
		-ENOTSUP, "the container is privileged");
	oci_refused("{'linux': {'resources': {'devices': [{'allow': true, 'access': 'rwm'}]}}}",
		facts, -ENOTSUP, "may use every device of the node");
	oci_refused("{'linux': {'resources': {'devices': [{'allow': true, 'type': 'a',"
		    " 'major': -1, 'minor': -1}]}}}",
		facts, -ENOTSUP, "may use every device of the node");
}

static void test_devices_of_the_node(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);

	assert_int_equal(decision("{'linux': {'devices': [{'path': '/dev/kvm', 'type': 'c',"
				  " 'major': 10, 'minor': 232}, {'path': '/dev/net/tun',"
				  " 'type': 'c', 'major': 10, 'minor': 200}]}}",
				 facts),
		OCI_CONVERT);
	oci_refused("{'linux': {'devices': [{'path': '/dev/fuse', 'type': 'c', 'major': 10,"
		    " 'minor': 229}]}}",
		facts, -ENOTSUP, "/dev/fuse: devices of the node cannot be given to a VM");
	/* A node of a disk under a name that is known, and a path that is not. */
	oci_refused("{'linux': {'devices': [{'path': '/dev/kvm', 'type': 'b', 'major': 10,"
		    " 'minor': 232}]}}",
		facts, -ENOTSUP, "/dev/kvm");
	oci_refused("{'linux': {'devices': [{'path': '/usr/bin/x', 'type': 'c', 'major': 10,"
		    " 'minor': 232}]}}",
		facts, -ENOTSUP, "/usr/bin/x");
	oci_refused("{'linux': {'devices': [{}]}}", facts, -EINVAL, "wants path and type");
}

static void test_what_is_no_config(void **state)
{
	struct oci_facts *facts = oci_fixture(NULL);
	struct err err = { "" };
	json_object *text = oci_text("'x'"), *container = NULL;

	assert_int_equal(oci_decide(NULL, facts, &err), -EINVAL);
	assert_int_equal(oci_decide(text, facts, &err), -EINVAL);
	assert_int_equal(oci_convert(text, facts, &container, &err), -EINVAL);
	assert_null(container);
	json_object_put(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opting_in),
		cmocka_unit_test(test_sandboxes),
		cmocka_unit_test(test_infra_containers),
		cmocka_unit_test(test_names_that_engines_write_down),
		cmocka_unit_test(test_names_of_podman),
		cmocka_unit_test(test_name_of_nobody),
		cmocka_unit_test(test_malformed_annotations),
		cmocka_unit_test(test_unknown_keys_of_containers_that_pass),
		cmocka_unit_test(test_namespaces_of_the_node),
		cmocka_unit_test(test_privileged_containers),
		cmocka_unit_test(test_devices_of_the_node),
		cmocka_unit_test(test_what_is_no_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
