/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Whole config.json files, as engines write them, and what is made of them:
 * tests/data/oci/NAME.json becomes NAME.config.json (without the seccomp profile, which is compared
 * on its own) and NAME.container.json. With SLUICE_WRITE_GOLDEN set these two are written anew, to
 * be read before they are committed.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/oci/oci_seccomp.h"
#include "lib/whole_file.h"
#include "tests/fakes/container_check.h"
#include "tests/unit/oci_fixture.h"

#define STYLE (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

static const char *data_path(const char *name, const char *suffix)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/tests/data/oci/%s%s", getenv("SOURCE_ROOT"), name, suffix);
	return path;
}

static char *read_data(const char *name, const char *suffix)
{
	char *text = NULL;
	size_t len;

	if (whole_file_read(data_path(name, suffix), 1 << 20, &text, &len) < 0)
		fail_msg("cannot read %s", data_path(name, suffix));
	return text;
}

static json_object *read_config(const char *name)
{
	char *text = read_data(name, ".json");
	json_object *config = json_tokener_parse(text);

	assert_non_null(config);
	free(text);
	return config;
}

/* A file ends with the end of a line, which json-c does not write. */
static void compare(const char *name, const char *suffix, json_object *tree)
{
	const char *text = json_object_to_json_string_ext(tree, STYLE);
	char *line_end = NULL, *golden;

	assert_true(asprintf(&line_end, "%s\n", text) > 0);
	if (getenv("SLUICE_WRITE_GOLDEN") != NULL)
		assert_int_equal(
			whole_file_write(data_path(name, suffix), 0644, line_end, strlen(line_end)),
			0);
	golden = read_data(name, suffix);
	if (strcmp(golden, line_end) != 0)
		fail_msg("%s%s is now:\n%s", name, suffix, text);
	free(golden);
	free(line_end);
}

static void check(const char *name, const struct oci_facts *facts)
{
	json_object *config = read_config(name), *container = NULL;
	json_object *profile = oci_seccomp_profile();
	struct err err = { "" };

	if (oci_decide(config, facts, &err) != OCI_CONVERT)
		fail_msg("%s: %s", name, err.text);
	if (oci_convert(config, facts, &container, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	assert_true(json_object_equal(oci_at(config, "linux/seccomp"), profile));
	json_object_object_del(oci_at(config, "linux"), "seccomp");
	compare(name, ".config.json", config);
	compare(name, ".container.json", container);
	if (container_check(json_object_to_json_string(container), &err) < 0)
		fail_msg("%s.container.json: %s", name, err.text);
	json_object_put(profile);
	json_object_put(container);
	json_object_put(config);
}

/* As its file's name begins. */
static enum oci_engine engine_of(const char *name)
{
	return strncmp(name, "podman-", 7) == 0 ? OCI_ENGINE_PODMAN : OCI_ENGINE_CONTAINERD;
}

static void check_named(const char *name, const char *container_name)
{
	struct oci_facts *facts = oci_fixture(NULL);

	facts->engine = engine_of(name);
	facts->has_kvm = true;
	facts->container_name = container_name;
	check(name, facts);
}

static void check_passes(const char *name, const char *container_name, bool always)
{
	struct runtime_settings *settings;
	struct oci_facts *facts = oci_fixture(&settings);
	json_object *config = read_config(name);
	struct err err = { "" };

	settings->always = always;
	facts->engine = engine_of(name);
	facts->container_name = container_name;
	if (oci_decide(config, facts, &err) != OCI_PASS)
		fail_msg("%s: does not pass: %s", name, err.text);
	json_object_put(config);
}

/* --- what becomes a VM ----------------------------------------------------------------------- */

static void test_podman_run(void **state)
{
	check_named("podman-run", "plain");
}

/* --init -t --read-only --tmpfs -v -m --cpus --user, memlock without limit. */
static void test_podman_run_with_everything(void **state)
{
	check_named("podman-run-full", "full");
}

static void test_podman_in_a_pod(void **state)
{
	check_named("podman-pod", "inpod");
}

static void test_podman_kube_play(void **state)
{
	check_named("podman-kube-app", "web-app");
}

static void test_containerd_in_kubernetes(void **state)
{
	check_named("containerd-cri", NULL);
}

/* --- what does not --------------------------------------------------------------------------- */

static void test_sandboxes(void **state)
{
	check_passes("podman-infra", "000000000000-infra", true);
	check_passes("containerd-cri-sandbox", NULL, true);
}

static void test_sidecars(void **state)
{
	check_passes("podman-kube-side", "web-side", false);
	check_passes("containerd-cri-sidecar", NULL, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_podman_run),
		cmocka_unit_test(test_podman_run_with_everything),
		cmocka_unit_test(test_podman_in_a_pod),
		cmocka_unit_test(test_podman_kube_play),
		cmocka_unit_test(test_containerd_in_kubernetes),
		cmocka_unit_test(test_sandboxes),
		cmocka_unit_test(test_sidecars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
