/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "launcher/oci/runtime_caller.h"

#define CMDLINE(text) text, sizeof(text)

static void check(const char *cmdline, size_t len, enum oci_engine engine, const char *name)
{
	struct runtime_caller caller;

	runtime_caller_parse(cmdline, len, &caller);
	assert_int_equal(caller.engine, engine);
	assert_string_equal(caller.name, name);
}

static void test_podman(void **state)
{
	check(CMDLINE("/usr/bin/conmon\0--api-version\0001\0-c\0abc\0-u\0abc\0-r\0/usr/bin/"
		      "sluice-runtime\0-b\0/b\0-p\0/p\0-n\0web-app\0--exit-dir\0/e\0"
		      "--exit-command\0/usr/bin/podman\0--exit-command-arg\0-n\0"
		      "--exit-command-arg\0other"),
		OCI_ENGINE_PODMAN, "web-app");
}

static void test_crio(void **state)
{
	check(CMDLINE("/usr/libexec/crio/conmon\0-b\0/b\0-c\0abc\0--exit-dir\0/e\0-n\0k8s_web\0-p\0"
		      "/p"),
		OCI_ENGINE_CRIO, "k8s_web");
	check(CMDLINE("conmon\0--name=a"), OCI_ENGINE_CRIO, "a");
	check(CMDLINE("conmon\0--name\0a"), OCI_ENGINE_CRIO, "a");
	check(CMDLINE("conmon\0-n\0a\0-n\0b"), OCI_ENGINE_CRIO, "a");
	check(CMDLINE("conmon\0-n\0--exit-command"), OCI_ENGINE_CRIO, "--exit-command");
	check(CMDLINE("conmon"), OCI_ENGINE_CRIO, "");
	check(CMDLINE("conmon\0-n"), OCI_ENGINE_CRIO, "");
	check(CMDLINE("conmon\0-n\0"), OCI_ENGINE_CRIO, "");
	check(CMDLINE("conmon\0--name="), OCI_ENGINE_CRIO, "");
	check(CMDLINE("/usr/bin/conmonrs\0--runtime\0x"), OCI_ENGINE_CRIO, "");
}

static void test_containerd(void **state)
{
	check(CMDLINE("/usr/bin/containerd-shim-runc-v2\0-namespace\0k8s.io\0-id\0a\0-n\0b"),
		OCI_ENGINE_CONTAINERD, "");
	check(CMDLINE("/usr/bin/containerd-shim-runc-v2\0-id\0-namespace\0-namespace\0k8s.io"),
		OCI_ENGINE_UNKNOWN, "");
	check(CMDLINE("/usr/bin/containerd-shim-runc-v2\0-namespace\0moby\0-id\0a"),
		OCI_ENGINE_UNKNOWN, "");
	check(CMDLINE("/usr/bin/containerd-shim-runc-v2\0-namespace"), OCI_ENGINE_UNKNOWN, "");
	check(CMDLINE("/usr/bin/containerd\0--config\0x"), OCI_ENGINE_UNKNOWN, "");
}

static void test_others(void **state)
{
	char longest[8 + 3 + RUNTIME_CALLER_NAME_MAX + 1] = "conmon\0-n";

	check(CMDLINE("/usr/bin/bash\0-n\0a"), OCI_ENGINE_UNKNOWN, "");
	check(CMDLINE("/conmon/sh\0-n\0a"), OCI_ENGINE_UNKNOWN, "");
	check("conmon\0-n\0cut", 12, OCI_ENGINE_UNKNOWN, "");
	check("", 0, OCI_ENGINE_UNKNOWN, "");
	check("\0", 1, OCI_ENGINE_UNKNOWN, "");
	memset(longest + 10, 'x', RUNTIME_CALLER_NAME_MAX);
	check(longest, 10 + RUNTIME_CALLER_NAME_MAX + 1, OCI_ENGINE_CRIO, "");
	longest[10 + RUNTIME_CALLER_NAME_MAX - 1] = '\0';
	check(longest, 10 + RUNTIME_CALLER_NAME_MAX, OCI_ENGINE_CRIO, longest + 10);
}

/* Ours is none. */
static void test_own_parent(void **state)
{
	struct oci_facts facts = { .settings = NULL };
	struct runtime_caller caller;

	runtime_caller_find(&caller, &facts);
	assert_int_equal(caller.engine, OCI_ENGINE_UNKNOWN);
	assert_string_equal(caller.name, "");
	assert_int_equal(facts.engine, OCI_ENGINE_UNKNOWN);
	assert_null(facts.container_name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_podman),
		cmocka_unit_test(test_crio),
		cmocka_unit_test(test_containerd),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_own_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
