/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which containers become VMs, and which cannot. What a VM could not give a workload, though it
 * asked for it, is refused here with what to do about it: half of it would be found out later, by
 * somebody else.
 */

#include "launcher/oci/oci_config.h"

#include <errno.h>
#include <string.h>

#include "launcher/oci/oci_annotations.h"
#include "launcher/oci/oci_devices.h"
#include "launcher/oci/oci_json.h"

/* --- sandboxes ------------------------------------------------------------------------------- */

/*
 * A pod's author must not be able to call an ordinary container one: where everything becomes a VM,
 * that would be the way out. Annotations are good only from an engine that writes them last, over
 * what the pod says. podman does not: annotations of an image and of a manifest come through it as
 * they are (4.3; labels do not), and the infra container has none of its own. It is known by its
 * name, which begins with the ID of its pod: nobody knows that before.
 */

#define INFRA_SUFFIX "-infra"
#define INFRA_ID_LEN 12

/* Whether the pod's part of the path of podman's control groups begins with it: PARENT/ID/... or,
 * with systemd, machine-libpod_pod_ID.slice:... */
static bool is_of_pod(const char *cgroups, const char *id)
{
	static const char unit[] = "_pod_";

	for (const char *at = cgroups; (at = strstr(at, id)) != NULL; at++) {
		size_t before = (size_t)(at - cgroups);

		if (before > 0 && at[-1] == '/')
			return true;
		if (before >= strlen(unit) && strncmp(at - strlen(unit), unit, strlen(unit)) == 0)
			return true;
	}
	return false;
}

static int is_podman_infra(json_object *config, const char *name, struct err *err)
{
	char id[INFRA_ID_LEN + 1] = "";
	json_object *linux_part;
	const char *cgroups;
	int ret;

	if (name == NULL || strspn(name, "0123456789abcdef") != INFRA_ID_LEN ||
		strcmp(name + INFRA_ID_LEN, INFRA_SUFFIX) != 0)
		return 0;
	memcpy(id, name, INFRA_ID_LEN);
	ret = oci_get_object(config, "", "linux", &linux_part, err);
	if (ret == 0)
		ret = oci_get_string(linux_part, "linux.", "cgroupsPath", &cgroups, err);
	return ret == 0 && cgroups != NULL ? is_of_pod(cgroups, id) : ret;
}

static int is_sandbox(json_object *config, const struct oci_annotations *says,
	const struct oci_facts *facts, struct err *err)
{
	switch (facts->engine) {
	case OCI_ENGINE_PODMAN:
		return is_podman_infra(config, facts->container_name, err);
	case OCI_ENGINE_CRIO:
		return says->crio_sandbox;
	case OCI_ENGINE_CONTAINERD:
		return says->containerd_sandbox;
	case OCI_ENGINE_UNKNOWN:
		break;
	}
	/* Who says so gets no more than by leaving sluice.dev/vm out. */
	return !facts->settings->always && (says->containerd_sandbox || says->crio_sandbox);
}

/* --- what a VM cannot be --------------------------------------------------------------------- */

/* Returns 1 or 0. */
static int has_namespace(json_object *namespaces, const char *type, struct err *err)
{
	for (size_t i = 0; i < oci_n_items(namespaces); i++) {
		const char *found;
		json_object *item;
		int ret = oci_item_object(namespaces, "linux.namespaces", i, &item, err);

		if (ret == 0)
			ret = oci_get_string(item, "linux.namespaces[].", "type", &found, err);
		if (ret < 0)
			return ret;
		if (found != NULL && strcmp(found, type) == 0)
			return 1;
	}
	return 0;
}

static int check_namespaces(json_object *linux_part, struct err *err)
{
	static const struct {
		const char *type;
		int wanted;
		const char *why;
	} rules[] = {
		{ "network", 1,
			"linux.namespaces: the container has the node's network (hostNetwork, "
			"--network host), which its VM would take over: give it one of its own, or "
			"leave sluice.dev/vm out" },
		{ "pid", 1,
			"linux.namespaces: the container has the node's processes (hostPID, --pid "
			"host), which a VM does not see: leave that out, or sluice.dev/vm" },
		{ "user", 0,
			"linux.namespaces: the container has a user namespace, in which Sluice "
			"cannot run a VM: leave that out (hostUsers, --userns), or sluice.dev/vm" },
	};
	json_object *namespaces;
	int ret = oci_get_array(linux_part, "linux.", "namespaces", &namespaces, err);

	for (size_t i = 0; ret == 0 && i < sizeof(rules) / sizeof(rules[0]); i++) {
		ret = has_namespace(namespaces, rules[i].type, err);
		if (ret >= 0)
			ret = ret == rules[i].wanted ? 0
						     : err_set(err, -ENOTSUP, "%s", rules[i].why);
	}
	return ret;
}

static int check_possible(json_object *config, const struct oci_annotations *says, struct err *err)
{
	json_object *linux_part;
	int ret = oci_get_object(config, "", "linux", &linux_part, err);

	if (ret < 0)
		return ret;
	if (says->privileged)
		return err_set(err, -ENOTSUP,
			"the container is privileged, on a node that its VM does not see: leave "
			"that out (the workload is root in a machine of its own), or "
			"sluice.dev/vm");
	ret = check_namespaces(linux_part, err);
	return ret < 0 ? ret : oci_devices_check(linux_part, err);
}

/* --- the decision ---------------------------------------------------------------------------- */

/* The name of podman's pod is its hostname, which its containers have in common; config.json has it
 * as such or, of those that share its UTS namespace, only in the environment. NULL: not known. */
static int find_pod(json_object *config, const char **pod, struct err *err)
{
	static const char name[] = "HOSTNAME=";
	json_object *process, *env = NULL;
	int ret = oci_get_plain(config, "", "hostname", pod, err);

	if (ret == 0)
		ret = oci_get_object(config, "", "process", &process, err);
	if (ret == 0)
		ret = oci_get_array(process, "process.", "env", &env, err);
	for (size_t i = 0; ret == 0 && *pod == NULL && i < oci_n_items(env); i++) {
		const char *word;

		ret = oci_item_string(env, "process.env", i, &word, err);
		if (ret == 0 && strncmp(word, name, strlen(name)) == 0)
			*pod = word + strlen(name);
	}
	return ret;
}

/* Returns 1 or 0. */
static int is_meant(json_object *config, const struct oci_annotations *says,
	const struct oci_facts *facts, struct err *err)
{
	const char *pod;
	int ret = find_pod(config, &pod, err);

	if (ret == 0)
		ret = oci_annotations_mean(says, facts->container_name, pod, err);
	return ret == 0 && facts->settings->always ? 1 : ret;
}

int oci_decide(json_object *config, const struct oci_facts *facts, struct err *err)
{
	struct oci_annotations says;
	int ret = oci_annotations_read(config, &says, err);

	if (ret == 0)
		ret = is_sandbox(config, &says, facts, err);
	if (ret != 0)
		return ret < 0 ? ret : OCI_PASS;
	/* Of those that pass too: a misspelt sluice.dev/vm would make a container. */
	ret = oci_annotations_settings(&says, facts->settings->annotations, NULL, err);
	if (ret == 0)
		ret = is_meant(config, &says, facts, err);
	if (ret <= 0)
		return ret < 0 ? ret : OCI_PASS;
	ret = check_possible(config, &says, err);
	return ret < 0 ? ret : OCI_CONVERT;
}
