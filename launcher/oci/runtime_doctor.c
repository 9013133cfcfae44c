/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/runtime_doctor.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/runtime_settings.h"
#include "config/vm_settings.h"
#include "launcher/oci/runtime_client.h"
#include "launcher/oci/runtime_pass.h"
#include "launcher/process/command.h"
#include "launcher/process/program.h"
#include "launcher/vmm/kvm.h"

#define VERSION_TIMEOUT_S 10
#define VERSION_MAX       512

/* --- the runtime that does the work ---------------------------------------------------------- */

static void examine_runtime(struct doctor *d, struct runtime_settings *s)
{
	char *const argv[] = { s->runtime, (char *)"--version", NULL };
	const struct command command = {
		.argv = argv, .timeout_s = VERSION_TIMEOUT_S, .out = -1, .fd = -1
	};
	char path[PATH_MAX], version[VERSION_MAX] = "";
	struct err err = { "" };
	int ret = program_find(s->runtime, path, &err);

	if (ret == 0)
		ret = runtime_pass_check(s, &err);
	if (ret == 0)
		ret = command_must(&command, version, sizeof(version), &err);
	if (ret < 0)
		doctor_note(d, DOCTOR_FAIL, "runtime",
			"install runc or crun, or set path of \"runtime\" in " VM_CONFIG_PATH, "%s",
			err.text);
	else
		doctor_note(d, DOCTOR_OK, "runtime", NULL, "%s, %.*s", s->runtime,
			(int)strcspn(version, "\n"), version);
}

/* --- the machine root ------------------------------------------------------------------------ */

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void examine_root(struct doctor *d, const struct runtime_settings *s)
{
	const char *root = s->machine_root;
	char usr[PATH_MAX + 8];

	snprintf(usr, sizeof(usr), "%s/usr", root);
	if (root[0] == '\0')
		doctor_note(d, DOCTOR_OK, "machine-root", NULL, "the node's /usr");
	else if (!is_directory(usr))
		doctor_note(d, DOCTOR_FAIL, "machine-root",
			"unpack the Sluice image there, or set machine-root", "%s is no directory",
			usr);
	else
		doctor_note(d, DOCTOR_OK, "machine-root", NULL, "%s", root);
}

static void examine_binds(struct doctor *d, const struct runtime_settings *s)
{
	const char *list = s->machine_binds;

	while (*list != '\0') {
		int len = (int)strcspn(list, ",");
		char path[RUNTIME_LIST_MAX];

		snprintf(path, sizeof(path), "%.*s", len, list);
		if (access(path, F_OK) == 0)
			doctor_note(d, DOCTOR_OK, "machine-binds", NULL, "%s", path);
		else
			doctor_note(d, DOCTOR_FAIL, "machine-binds", "take it out, or make it",
				"%s: %s", path, strerror(errno));
		list += len + (list[len] != '\0');
	}
}

static void examine_programs(struct doctor *d, const struct runtime_settings *s)
{
	static const char *const names[] = { "sluice-vm", "sluice-exec", "sluice-agent", "sluiced",
		"sluice-vsock", "sluice-fs-relay" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[PATH_MAX];
		struct err err = { "" };

		if (runtime_client_find(s, names[i], path, &err) == 0)
			doctor_note(d, DOCTOR_OK, names[i], NULL, "%s", path);
		else
			doctor_note(d, DOCTOR_FAIL, names[i],
				"install Sluice as a whole, or set programs", "%s", err.text);
	}
}

/* --- what the VM is made of ------------------------------------------------------------------ */

/* The last that matches in the root, by name; false: none does. */
static bool find_in_root(const struct runtime_settings *s, const char *pattern, char *path)
{
	char whole[2 * PATH_MAX];
	glob_t found = { 0 };
	bool any;

	snprintf(whole, sizeof(whole), "%s%s", s->machine_root, pattern);
	any = glob(whole, 0, NULL, &found) == 0 && found.gl_pathc > 0;
	if (any)
		snprintf(path, PATH_MAX, "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return any;
}

/* `set` is what the settings say, or empty: then the first of the patterns that matches. */
static void examine_file(struct doctor *d, const struct runtime_settings *s, const char *name,
	const char *set, const char *const *patterns, const char *advice)
{
	const char *const only[] = { set, NULL };
	char path[PATH_MAX];

	if (set[0] != '\0')
		patterns = only;
	for (const char *const *p = patterns; *p != NULL; p++) {
		if (!find_in_root(s, *p, path))
			continue;
		doctor_note(d, DOCTOR_OK, name, NULL, "%s", path);
		return;
	}
	doctor_note(d, DOCTOR_FAIL, name, advice, "there is no %s%s", s->machine_root, patterns[0]);
}

static void examine_machine(struct doctor *d, const struct runtime_settings *s)
{
	static const char *const virtiofsds[] = { "/usr/lib/qemu/virtiofsd",
		"/usr/libexec/virtiofsd", "/usr/lib/virtiofsd", NULL };
	static const char *const kernels[] = { "/boot/vmlinuz-*", NULL };
	static const char *const umls[] = { "/usr/bin/linux.uml", NULL };
	const struct vm_sources sources = { .config_path = VM_CONFIG_PATH };
	struct vm_settings vm;
	struct err err = { "" };

	if (vm_settings_load(&sources, &vm, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "settings", "correct it", "%s", err.text);
	examine_file(d, s, "virtiofsd", vm.virtiofsd, virtiofsds,
		"install qemu-system-common or virtiofsd, or set virtiofsd");
	examine_file(d, s, "kernel", vm.kernel, vm.vmm == VM_VMM_UML ? umls : kernels,
		"install linux-image-cloud-amd64 (of UML, user-mode-linux), or set kernel");
	if (kvm_usable(&err) == 0)
		doctor_note(d, DOCTOR_OK, "kvm", NULL, "can be used");
	else
		doctor_note(d, DOCTOR_WARN, "kvm", "without KVM guests are emulated, which is slow",
			"%s", err.text);
}

void runtime_doctor_examine(struct doctor *d)
{
	struct runtime_settings settings;
	struct err err = { "" };

	if (runtime_settings_load(NULL, &settings, &err) < 0)
		doctor_note(d, DOCTOR_FAIL, "settings", "correct it", "%s", err.text);
	else
		doctor_note(d, DOCTOR_OK, "settings", NULL, "%s",
			access(VM_CONFIG_PATH, F_OK) == 0 ? VM_CONFIG_PATH
							  : "all are the defaults");
	examine_runtime(d, &settings);
	examine_root(d, &settings);
	examine_binds(d, &settings);
	examine_programs(d, &settings);
	examine_machine(d, &settings);
	runtime_doctor_engines(d);
}
