/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/runtime_settings.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "config/json_source.h"
#include "config/settings.h"
#include "config/settings_man.h"
#include "config/vm_settings.h"

static const struct setting_word overheads[] = { { "inside", 0 }, { "outside", 1 }, { NULL } };

#define FIELD(member) SETTING_FIELD(struct runtime_settings, member)

static const struct setting rows[] = {
	{ "path", SETTING_PATH, FIELD(runtime), .unit = "PATH",
		.help = "what runs containers, and all calls go on to (default: runc or crun, "
			"where they usually are)" },
	{ "machine-root", SETTING_PATH, FIELD(machine_root), .unit = "PATH",
		.help = "an unpacked Sluice image that the VM's programs run in (default: the "
			"node's /usr)" },
	{ "machine-binds", SETTING_STRING, FIELD(machine_binds), .unit = "PATH[,PATH]...",
		.help = "more of the node that they can read, at the same place" },
	{ "programs", SETTING_PATH, FIELD(programs), .unit = "PATH",
		.help = "where sluice-vm and sluice-exec are for them (default: where this program "
			"is)" },
	{ "always", SETTING_BOOL, FIELD(always), .preset = "false",
		.help = "every container becomes a VM, whatever its annotations, but for "
			"sandboxes" },
	{ "annotations", SETTING_STRING, FIELD(annotations), .unit = "KEY[,KEY]...",
		.help = "settings that reach past the pod, and that pods may set all the same; "
			"\"volumes\": by NFS" },
	{ "exec-in-container", SETTING_BOOL, FIELD(exec_in_container), .preset = "false",
		.help = "SLUICE_EXEC_TARGET=container in its environment keeps an exec out of the "
			"VM, beside the VMM" },
	{ "memory-overhead", SETTING_ENUM, FIELD(memory_outside), .preset = "inside",
		.words = overheads,
		.help = "whether a container's memory limit is for the VM with all that it takes, "
			"or for the guest alone (where a RuntimeClass accounts for the rest)" },
	{ "overhead", SETTING_U32, FIELD(overhead_mib), .unit = "MIB", .preset = "96", .max = 65536,
		.help = "what a VM takes besides its guest's memory; without KVM 64 more, for "
			"translated code" },
	{ "overhead-per-gib", SETTING_U32, FIELD(overhead_per_gib_mib), .unit = "MIB",
		.preset = "12", .max = 1024,
		.help = "and for each GiB of that, for page tables; always of the container's "
			"limit" },
};

static const struct settings table = SETTINGS(rows, NULL);

/* --- checks ---------------------------------------------------------------------------------- */

/* A word of a list, up to its comma. */
static bool is_whole_path(const char *word, size_t len)
{
	char text[RUNTIME_LIST_MAX + 2];

	if (len < 2 || word[0] != '/')
		return false;
	snprintf(text, sizeof(text), "%.*s/", (int)len, word);
	return strstr(text, "/../") == NULL && strstr(text, "/./") == NULL &&
	       strstr(text, "//") == NULL;
}

static int check_binds(const char *list, struct err *err)
{
	while (*list != '\0') {
		size_t len = strcspn(list, ",");

		if (!is_whole_path(list, len))
			return err_set(err, -EINVAL,
				"machine-binds: \"%.*s\" is not an absolute path without \".\", "
				"\"..\" and doubled slashes",
				(int)len, list);
		list += len + (list[len] != '\0');
	}
	return 0;
}

/* --- defaults -------------------------------------------------------------------------------- */

static void find_runtime(char *path)
{
	static const char *const usual[] = { "/usr/bin/runc", "/usr/sbin/runc",
		"/usr/local/bin/runc", "/usr/local/sbin/runc", "/usr/bin/crun",
		"/usr/local/bin/crun" };
	const char *found = usual[0];

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (access(usual[i], X_OK) == 0) {
			found = usual[i];
			break;
		}
	}
	snprintf(path, PATH_MAX, "%s", found);
}

static void find_programs(char *path)
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash != NULL)
		slash[slash == path] = '\0';
	else
		snprintf(path, PATH_MAX, "/usr/bin");
}

/* --- the file -------------------------------------------------------------------------------- */

static int decode(const json_t *root, struct runtime_settings *settings, struct err *err)
{
	const json_t *own = json_object_get(root, "runtime");
	int ret;

	if (!json_is_object(root))
		return err_set(err, -EINVAL, "is not a JSON object");
	if (own == NULL)
		return 0;
	if (!json_is_object(own))
		return err_set(err, -EINVAL, "runtime: must be an object");
	ret = settings_from_json(&table, own, "runtime.", 0, NULL, settings, NULL, err);
	if (ret < 0)
		return ret;
	ret = check_binds(settings->machine_binds, err);
	return ret < 0 ? err_wrap(err, ret, "runtime") : 0;
}

static int load(const char *path, struct runtime_settings *settings, struct err *err)
{
	json_t *root;
	int ret = json_source_file(path, false, &root, err);

	if (root == NULL)
		return ret;
	ret = decode(root, settings, err);
	json_decref(root);
	return ret < 0 ? err_wrap(err, ret, "%s", path) : 0;
}

int runtime_settings_load(const char *path, struct runtime_settings *settings, struct err *err)
{
	int ret;

	*settings = (struct runtime_settings) { "" };
	settings_apply_defaults(&table, 0, settings);
	ret = load(path != NULL ? path : VM_CONFIG_PATH, settings, err);
	if (settings->runtime[0] == '\0')
		find_runtime(settings->runtime);
	if (settings->programs[0] == '\0')
		find_programs(settings->programs);
	return ret;
}

void runtime_settings_print_help(FILE *out)
{
	settings_print_help(&table, "", out);
}

void runtime_settings_print_man(FILE *out)
{
	settings_man(&table, 0, "", out);
}
