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
#include <unistd.h>

#include "config/setting_value.h"
#include "config/vm_settings.h"

/* A file with this text; the path is static. */
static char *file_with(const char *text)
{
	static char path[3][32];
	static unsigned n;
	char *p = path[n++ % 3];
	int fd;

	strcpy(p, "/tmp/sluice-settings-XXXXXX");
	fd = mkstemp(p);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return p;
}

static int teardown(void **state)
{
	unsetenv("SLUICE_MEMORY");
	unsetenv("SLUICE_LOG_LEVEL");
	unsetenv("RUNCVM_LOG_LEVEL");
	return 0;
}

static void test_defaults(void **state)
{
	struct vm_settings s;
	struct err err = { "" };

	assert_int_equal(vm_settings_load(&(struct vm_sources) { 0 }, &s, &err), 0);
	assert_string_equal(s.name, "vm0");
	assert_int_equal(s.memory_mib, 512);
	assert_int_equal(s.vmm, VM_VMM_AUTO);
	assert_int_equal(s.guard, VM_GUARD_EXCLUSIVE);
	assert_int_equal(s.forward_ports, VM_FORWARD_AUTO);
	assert_string_equal(s.shared_ports, "");
	assert_true(s.anti_spoof);
	assert_int_equal(s.datapath, VM_DATAPATH_VHOST_USER);
	assert_int_equal(s.stop_signal, 15);
	assert_int_equal(s.stop_timeout_s, 0);
	assert_string_equal(s.cwd, "/");
}

/* Each layer is stronger than the one before. */
static void test_layers(void **state)
{
	char *config = file_with("{ \"memory\": 100, \"cpus\": 2, \"hostname\": \"a\" }");
	char *annotations = file_with("other/key=\"x\"\nsluice.dev/memory=\"200\"\n"
				      "sluice.dev/hostname=\"b\"\n"
				      "sluice.dev/shared-ports=\"8080,tcp/9090\"\n"
				      "sluice.dev/forward-ports=\"off\"\n");
	char word[] = "--memory=400", *words[] = { word, NULL };
	struct vm_sources from = { .config_path = config };
	struct vm_settings s;
	struct err err = { "" };

	assert_int_equal(vm_settings_load(&from, &s, &err), 0);
	assert_int_equal(s.memory_mib, 100);
	from.annotations_path = annotations;
	assert_int_equal(vm_settings_load(&from, &s, &err), 0);
	assert_int_equal(s.memory_mib, 200);
	assert_string_equal(s.shared_ports, "8080,tcp/9090");
	assert_int_equal(s.forward_ports, VM_FORWARD_OFF);
	setenv("SLUICE_MEMORY", "300", 1);
	assert_int_equal(vm_settings_load(&from, &s, &err), 0);
	assert_int_equal(s.memory_mib, 300);
	from.words = words;
	assert_int_equal(vm_settings_load(&from, &s, &err), 0);
	assert_int_equal(s.memory_mib, 400);
	assert_int_equal(s.cpus, 2);
	assert_string_equal(s.hostname, "b");
	unlink(config);
	unlink(annotations);
}

static void refuse(const struct vm_sources *from, const char *expected)
{
	struct vm_settings s;
	struct err err = { "" };

	assert_true(vm_settings_load(from, &s, &err) < 0);
	if (strstr(err.text, expected) == NULL)
		fail_msg("\"%s\" is not in: %s", expected, err.text);
	assert_null(strchr(err.text, '\n'));
}

static void test_refusals(void **state)
{
	char *config = file_with("{ \"memroy\": 100 }");
	char *annotations = file_with("sluice.dev/vmm=\"xen\"\n");
	char name[] = "--memory", value[] = "1", *words[] = { name, value, NULL };

	refuse(&(struct vm_sources) { .config_path = config }, "memory");
	refuse(&(struct vm_sources) { .annotations_path = annotations },
		"sluice.dev/vmm: \"xen\" is not allowed (must be \"auto\", \"qemu\"");
	refuse(&(struct vm_sources) { .words = words }, "--memory");
	refuse(&(struct vm_sources) { .config_path = "/no/such", .config_required = true },
		"/no/such: No such file");
	refuse(&(struct vm_sources) { .annotations_path = "/no/such" }, "/no/such");
	unlink(config);
	unlink(annotations);
}

/* What runs on the node, or where its files are, is not for those who write pods. */
static void test_annotations_of_the_administrator(void **state)
{
	static const char *const settings[] = { "vmm-program=\"/x\"", "outside-guard=\"true\"",
		"nfs-shared-filesystem=\"allow\"", "lab=\"true\"", "switch-socket=\"/x\"",
		"run-dir=\"/x\"", "cache-dir=\"/x\"", "agent=\"/x\"", "virtiofsd=\"/x\"",
		"log-file=\"/x\"" };

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		char line[64];
		char *path;

		snprintf(line, sizeof(line), "sluice.dev/%s\n", settings[i]);
		path = file_with(line);
		refuse(&(struct vm_sources) { .annotations_path = path },
			"is the administrator's to set");
		unlink(path);
	}
}

static void check_annotation(
	const char *key, const char *value, const char *allowed, int code, const char *expected)
{
	struct err err = { "" };

	assert_int_equal(vm_settings_check_annotation(key, value, allowed, &err), code);
	if (strstr(err.text, expected) == NULL)
		fail_msg("\"%s\" is not in: %s", expected, err.text);
}

/* On the node itself, files that a VMM is started with are not for pods either. */
static void test_annotations_on_the_node(void **state)
{
	check_annotation("memory", "448", "", 0, "");
	check_annotation("memory", "1", "", -ERANGE, "sluice.dev/memory: ");
	check_annotation("memroy", "448", "", -EINVAL, "sluice.dev/memroy: unknown key");
	check_annotation("kernel", "/x", "", -EPERM, "sluice.dev/kernel: is the administrator's");
	check_annotation("kernel", "/x", "kernel-append,kernels", -EPERM, "administrator's");
	check_annotation("kernel", "/x", "modules-dir,kernel", 0, "");
	check_annotation("kernel", "x", "kernel", -EINVAL, "sluice.dev/kernel: ");
	check_annotation("user", "33", "", -EINVAL, "sluice.dev/user: is said by the container");
	check_annotation("rootfs", "/x", "rootfs", -EINVAL, "is said by the container itself");
	check_annotation("name", "web", "", -EINVAL, "sluice.dev/name: is said by the container");
	check_annotation("kernel-append", "x", "kernel", -EPERM, "administrator's");
	check_annotation("modules-dir", "/x", "", -EPERM, "administrator's");
	check_annotation("rootfs", "/", "", -EPERM, "administrator's");
	check_annotation("run-dir", "/x", "", -EPERM, "administrator's");
	check_annotation("run-dir", "/x", "run-dir", 0, "");
	check_annotation("datapath", "tap", "", -EPERM, "administrator's");
	check_annotation("datapath", "vhost-user", "", 0, "");
	check_annotation("datapath", "tap", "datapath", 0, "");
	check_annotation("datapath", "bridge", "datapath", -EINVAL, "tap");
	check_annotation(
		"vmm", "uml", "", -EPERM, "sluice.dev/vmm: \"uml\" is the administrator's");
	check_annotation("vmm", "uml", "kernel,vmm", 0, "");
	check_annotation("vmm", "qemu", "", 0, "");
	check_annotation("vmm", "UML", "", -EINVAL, "sluice.dev/vmm: \"UML\" is not allowed");
	check_annotation("anti-spoof", "on", "", 0, "");
	check_annotation("guard", "shared", "", 0, "");
}

/* Who may say what by a pod's annotation: of each row, so that nobody adds one without asking. */
enum sayer {
	ANYBODY, /* it reaches the guest and its own pod, as far as `but`, a word, is not it */
	ALLOWED, /* reaches further: pods that the administrator lets */
	ADMINISTRATOR, /* and it is not for an ordinary container's annotations either */
};

static const struct {
	const char *key;
	enum sayer sayer;
	const char *but;
} classes[] = {
	{ "name", ANYBODY },
	{ "vmm", ANYBODY, .but = "uml" },
	{ "vmm-program", ADMINISTRATOR },
	{ "machine", ANYBODY },
	{ "accel", ANYBODY, .but = "tcg" },
	{ "cpus", ANYBODY },
	{ "memory", ANYBODY },
	{ "kernel", ALLOWED },
	{ "modules-dir", ALLOWED },
	{ "kernel-append", ALLOWED },
	{ "boot-timeout", ANYBODY },
	{ "rootfs", ALLOWED },
	{ "root", ANYBODY, .but = "nfs" },
	{ "readonly", ANYBODY },
	{ "hostname", ANYBODY },
	{ "user", ANYBODY },
	{ "group-add", ANYBODY },
	{ "cwd", ANYBODY },
	{ "umask", ANYBODY },
	{ "ulimit", ANYBODY },
	{ "cap-drop", ANYBODY },
	{ "cap-add", ANYBODY },
	{ "no-new-privileges", ANYBODY },
	{ "tty", ANYBODY },
	{ "stop-signal", ANYBODY },
	{ "stop-timeout", ANYBODY },
	{ "interface", ANYBODY }, /* of the pod's own */
	{ "datapath", ANYBODY, .but = "tap" },
	{ "mac-mode", ANYBODY }, /* the pod's address is on the wire in both */
	{ "mac", ANYBODY },      /* never on the wire */
	{ "guard", ANYBODY, .but = "off" },
	{ "kernel-ports", ANYBODY },
	{ "shared-ports", ANYBODY },
	{ "forward-ports", ANYBODY },
	{ "outside-guard", ADMINISTRATOR },
	{ "host-port", ANYBODY }, /* to the pod's own programs */
	{ "dns", ANYBODY },
	{ "anti-spoof", ANYBODY, .but = "off" },
	{ "nfs-shared-filesystem", ADMINISTRATOR },
	{ "lab", ADMINISTRATOR },
	{ "switch-socket", ADMINISTRATOR },
	{ "address-wait", ANYBODY },
	{ "run-dir", ADMINISTRATOR },
	{ "cache-dir", ADMINISTRATOR },
	{ "agent", ADMINISTRATOR },
	{ "virtiofsd", ADMINISTRATOR },
	{ "log-file", ADMINISTRATOR },
	{ "log-level", ANYBODY },
	{ "log-format", ANYBODY },
	{ "console-size", ANYBODY },
};

#define N_CLASSES (sizeof(classes) / sizeof(classes[0]))

/* Whether a pod is let say so, be it right or wrong. */
static bool is_let(const char *key, const char *value, const char *allowed)
{
	struct err err = { "" };

	return vm_settings_check_annotation(key, value, allowed, &err) != -EPERM;
}

static void check_words(const struct setting *row, const char *but)
{
	bool found = but == NULL;

	for (const struct setting_word *w = row->words; w != NULL && w->name != NULL; w++) {
		bool reaches = but != NULL && strcmp(w->name, but) == 0;

		found = found || reaches;
		if (is_let(row->name, w->name, "") == reaches ||
			!is_let(row->name, w->name, row->name))
			fail_msg("%s=%s", row->name, w->name);
	}
	assert_true(found);
}

static void check_class(const struct setting *row, size_t class)
{
	char line[64], *path;
	struct vm_settings s;
	int ret;

	if (is_let(row->name, "x", "") != (classes[class].sayer == ANYBODY) ||
		!is_let(row->name, "x", row->name))
		fail_msg("%s", row->name);
	snprintf(line, sizeof(line), "sluice.dev/%s=\"x\"\n", row->name);
	path = file_with(line);
	ret = vm_settings_load(&(struct vm_sources) { .annotations_path = path }, &s, NULL);
	assert_int_equal(ret == -EPERM, classes[class].sayer == ADMINISTRATOR);
	unlink(path);
	if (classes[class].sayer == ANYBODY)
		check_words(row, classes[class].but);
}

static void test_every_setting_is_classified(void **state)
{
	const struct setting *row;
	size_t n = 0;

	for (; (row = vm_settings_row(n)) != NULL; n++) {
		size_t i = 0;

		while (i < N_CLASSES && strcmp(classes[i].key, row->name) != 0)
			i++;
		if (i == N_CLASSES)
			fail_msg(
				"%s: who may say it by annotation? Say it in `classes`", row->name);
		check_class(row, i);
	}
	assert_int_equal(n, N_CLASSES);
}

static void test_a_config_file_may_be_missing(void **state)
{
	struct vm_settings s;

	assert_int_equal(
		vm_settings_load(&(struct vm_sources) { .config_path = "/no/such" }, &s, NULL), 0);
}

/* The seeds' variable, in its capitals; ours is stronger. */
static void test_log_level_of_old(void **state)
{
	struct vm_settings s;
	struct err err = { "" };

	setenv("RUNCVM_LOG_LEVEL", "DEBUG", 1);
	assert_int_equal(vm_settings_load(&(struct vm_sources) { 0 }, &s, &err), 0);
	assert_int_equal(s.log_level, LOG_LEVEL_DEBUG);
	setenv("SLUICE_LOG_LEVEL", "ERROR", 1);
	assert_int_equal(vm_settings_load(&(struct vm_sources) { 0 }, &s, &err), 0);
	assert_int_equal(s.log_level, LOG_LEVEL_ERROR);
	setenv("RUNCVM_LOG_LEVEL", "LOUD", 1);
	refuse(&(struct vm_sources) { 0 }, "RUNCVM_LOG_LEVEL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_defaults, teardown),
		cmocka_unit_test_teardown(test_layers, teardown),
		cmocka_unit_test_teardown(test_refusals, teardown),
		cmocka_unit_test_teardown(test_annotations_of_the_administrator, teardown),
		cmocka_unit_test_teardown(test_annotations_on_the_node, teardown),
		cmocka_unit_test_teardown(test_every_setting_is_classified, teardown),
		cmocka_unit_test_teardown(test_a_config_file_may_be_missing, teardown),
		cmocka_unit_test_teardown(test_log_level_of_old, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
