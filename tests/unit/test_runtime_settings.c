/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "config/runtime_settings.h"
#include "config/vm_settings.h"
#include "tests/unit/scratch.h"

static int load(void **state, const char *text, struct runtime_settings *s, struct err *err)
{
	scratch_write(state, "sluice.json", text, 0600);
	return runtime_settings_load(scratch_path(state, "sluice.json"), s, err);
}

static void check_defaults(const struct runtime_settings *s)
{
	char own[PATH_MAX] = "";

	assert_true(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
	*strrchr(own, '/') = '\0';
	assert_int_equal(s->runtime[0], '/');
	assert_non_null(strstr(s->runtime, "run"));
	assert_string_equal(s->programs, own);
	assert_string_equal(s->machine_root, "");
	assert_string_equal(s->machine_binds, "");
	assert_string_equal(s->annotations, "");
	assert_false(s->always || s->exec_in_container || s->memory_outside);
	assert_int_equal(s->overhead_mib, 96);
}

static void test_defaults(void **state)
{
	struct runtime_settings s;
	struct err err = { "" };

	assert_int_equal(runtime_settings_load(scratch_path(state, "none"), &s, &err), 0);
	check_defaults(&s);
	assert_int_equal(load(state, "{}", &s, &err), 0);
	check_defaults(&s);
	/* Another program's are not looked at. */
	assert_int_equal(load(state, "{\"memory\":\"what\",\"nonesuch\":1}", &s, &err), 0);
	check_defaults(&s);
}

static void test_all(void **state)
{
	struct runtime_settings s;
	struct err err = { "" };

	if (load(state,
		    "{\"vmm\":\"uml\",\"runtime\":{\"path\":\"/opt/crun\",\"machine-root\":\"/m\","
		    "\"machine-binds\":\"/opt/sluice,/srv/kernels\",\"programs\":\"/usr/sbin\","
		    "\"always\":true,\"annotations\":\"kernel,modules-dir\","
		    "\"exec-in-container\":true,\"memory-overhead\":\"outside\",\"overhead\":0}}",
		    &s, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(s.runtime, "/opt/crun");
	assert_string_equal(s.machine_root, "/m");
	assert_string_equal(s.machine_binds, "/opt/sluice,/srv/kernels");
	assert_string_equal(s.programs, "/usr/sbin");
	assert_string_equal(s.annotations, "kernel,modules-dir");
	assert_true(s.always && s.exec_in_container && s.memory_outside);
	assert_int_equal(s.overhead_mib, 0);
}

static void refuse(void **state, const char *text, const char *why)
{
	struct runtime_settings s;
	struct err err = { "" };

	assert_true(load(state, text, &s, &err) < 0);
	if (strstr(err.text, why) == NULL || strstr(err.text, "sluice.json") == NULL)
		fail_msg("%s: %s", text, err.text);
	/* There is a runtime all the same. */
	assert_int_equal(s.runtime[0], '/');
	assert_int_equal(s.programs[0], '/');
}

static void test_refusals(void **state)
{
	refuse(state, "{", "sluice.json:1");
	refuse(state, "[]", "not a JSON object");
	refuse(state, "{\"runtime\":1}", "runtime: must be an object");
	refuse(state, "{\"runtime\":null}", "runtime: must be an object");
	refuse(state, "{\"runtime\":{\"patth\":\"/x\"}}",
		"runtime.patth: unknown key (did you "
		"mean \"path\"?)");
	refuse(state, "{\"runtime\":{\"path\":\"runc\"}}", "runtime.path");
	refuse(state, "{\"runtime\":{\"path\":\"/a\",\"path\":\"/b\"}}", "duplicate");
	refuse(state, "{\"runtime\":{\"memory-overhead\":\"beside\"}}",
		"\"inside\" or \"outside\"");
	refuse(state, "{\"runtime\":{\"overhead\":-1}}", "runtime.overhead");
	refuse(state, "{\"runtime\":{\"machine-binds\":\"/opt,srv\"}}", "\"srv\"");
	refuse(state, "{\"runtime\":{\"machine-binds\":\"/opt/../etc\"}}", "machine-binds");
	refuse(state, "{\"runtime\":{\"machine-binds\":\"/opt/..\"}}", "machine-binds");
	refuse(state, "{\"runtime\":{\"machine-binds\":\"/opt,,/srv\"}}", "machine-binds");
	refuse(state, "{\"runtime\":{\"machine-binds\":\"/\"}}", "machine-binds");
	refuse(state, "{\"runtime\":{\"machine-binds\":\"/a//b\"}}", "machine-binds");
}

/* The same file is sluice-vm's. */
static void test_beside_vm_settings(void **state)
{
	const struct vm_sources from = { .config_path = scratch_path(state, "sluice.json") };
	struct vm_settings vm;
	struct err err = { "" };

	scratch_write(state, "sluice.json",
		"{\"runtime\":{\"path\":\"/opt/crun\",\"later\":[]},\"memory\":100}", 0600);
	if (vm_settings_load(&from, &vm, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(vm.memory_mib, 100);
	scratch_write(state, "sluice.json", "{\"runtimes\":{}}", 0600);
	assert_int_equal(vm_settings_load(&from, &vm, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(test_all, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(test_refusals, scratch_open, scratch_close),
		cmocka_unit_test_setup_teardown(
			test_beside_vm_settings, scratch_open, scratch_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
