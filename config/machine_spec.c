/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/machine_spec.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "config/json_items.h"
#include "config/json_source.h"
#include "config/settings.h"

#define HOSTNAME_MAX 64   /* HOST_NAME_MAX of Linux */
#define OPTIONS_MAX  4095 /* mount(2) takes a page */

static const struct setting_word root_kinds[] = {
	{ "virtiofs", MACHINE_VIRTIOFS },
	{ "ext4", MACHINE_EXT4 },
	{ "nfs", MACHINE_NFS },
	{ "initramfs", MACHINE_INITRAMFS },
	{ NULL, 0 },
};

static const struct setting_word mount_kinds[] = {
	{ "virtiofs", MACHINE_VIRTIOFS },
	{ "nfs", MACHINE_NFS },
	{ "tmpfs", MACHINE_TMPFS },
	{ NULL, 0 },
};

const char *machine_fs_name(enum machine_fs kind)
{
	static const char *const name[] = {
		[MACHINE_VIRTIOFS] = "virtiofs",
		[MACHINE_EXT4] = "ext4",
		[MACHINE_NFS] = "nfs",
		[MACHINE_TMPFS] = "tmpfs",
		[MACHINE_INITRAMFS] = "initramfs",
	};

	return name[kind];
}

/* --- mounts ---------------------------------------------------------------------------------- */

#define FIELD(member) SETTING_FIELD(struct machine_mount, member)

static const struct setting root_rows[] = {
	{ "kind", SETTING_ENUM, FIELD(kind), .words = root_kinds, .required = true,
		.help = "the file system" },
	{ "source", SETTING_STRING, FIELD(source), .heap = true, .max = PATH_MAX - 1,
		.required = true, .help = "what is mounted" },
	{ "options", SETTING_STRING, FIELD(options), .heap = true, .max = OPTIONS_MAX,
		.help = "as mount(2) takes them" },
	{ "readonly", SETTING_BOOL, FIELD(readonly), .help = "nothing can be written" },
};

static const struct setting mount_rows[] = {
	{ "kind", SETTING_ENUM, FIELD(kind), .words = mount_kinds, .required = true,
		.help = "the file system" },
	{ "source", SETTING_STRING, FIELD(source), .heap = true, .max = PATH_MAX - 1,
		.help = "what is mounted" },
	{ "destination", SETTING_PATH, FIELD(destination), .heap = true, .max = PATH_MAX - 1,
		.required = true, .help = "where, in the root" },
	{ "options", SETTING_STRING, FIELD(options), .heap = true, .max = OPTIONS_MAX,
		.help = "as mount(2) takes them" },
	{ "readonly", SETTING_BOOL, FIELD(readonly), .help = "nothing can be written" },
	{ "optional", SETTING_BOOL, FIELD(optional), .help = "the machine starts without it" },
};

#undef FIELD

static const struct settings root_table = SETTINGS(root_rows, NULL);
static const struct settings mount_table = SETTINGS(mount_rows, NULL);

static int decode_mount(const json_t *object, const char *at, void *item, struct err *err)
{
	struct machine_mount *mount = item;
	int ret = settings_from_json(&mount_table, object, at, 0, "", mount, NULL, err);

	if (ret < 0)
		return ret;
	if (mount->kind == MACHINE_TMPFS && mount->source != NULL)
		return err_set(
			err, -EINVAL, "%ssource: \"%.50s\": a tmpfs has none", at, mount->source);
	if (mount->kind != MACHINE_TMPFS && mount->source == NULL)
		return err_set(err, -EINVAL, "%ssource: missing (only a tmpfs has none)", at);
	if (strspn(mount->destination, "/") == strlen(mount->destination))
		return err_set(err, -EINVAL, "%sdestination: \"%s\" is the root itself", at,
			mount->destination);
	return 0;
}

static json_t *encode_mount(const void *item)
{
	return settings_to_json(&mount_table, 0, item);
}

static const struct json_items mounts = { "mounts", MACHINE_MOUNTS_MAX,
	sizeof(struct machine_mount), decode_mount, encode_mount };

static void free_mount(struct machine_mount *mount)
{
	free(mount->source);
	free(mount->destination);
	free(mount->options);
}

/* --- all of it ------------------------------------------------------------------------------- */

/* As it is written. */
struct spec_entry {
	struct machine_spec spec;
	uint32_t version;
};

#define TEXT(member)                                                                               \
	SETTING_FIELD(struct spec_entry, spec.member), .heap = true, .max = MACHINE_SPEC_MAX

static const struct setting rows[] = {
	{ "version", SETTING_U32, SETTING_FIELD(struct spec_entry, version),
		.min = MACHINE_SPEC_VERSION, .max = MACHINE_SPEC_VERSION, .required = true,
		.help = "of this format" },
	{ "hostname", SETTING_NAME, SETTING_FIELD(struct spec_entry, spec.hostname), .heap = true,
		.max = HOSTNAME_MAX, .help = "the machine's" },
	{ "hosts", SETTING_TEXT, TEXT(hosts), .help = "content of /etc/hosts" },
	{ "resolv_conf", SETTING_TEXT, TEXT(resolv_conf), .help = "content of /etc/resolv.conf" },
	{ "network", SETTING_OBJECT, .required = true, .help = "interfaces and so on" },
	{ "root", SETTING_OBJECT, .required = true, .help = "the root file system" },
	{ "mounts", SETTING_ARRAY, .required = true, .help = "what is mounted in it, in order" },
	{ "sharedPorts", SETTING_LIST,
		SETTING_LIST_FIELD(struct spec_entry, spec.shared_ports, spec.n_shared_ports),
		.min = 1, .max = UINT16_MAX, .help = "TCP ports of the pod on the loopback" },
	{ "sysctl", SETTING_OBJECT, .help = "settings of its kernel" },
	{ "process", SETTING_OBJECT, .required = true, .help = "how the workload is run" },
};

#undef TEXT

static const struct settings table = SETTINGS(rows, NULL);

static int decode_root(const json_t *json, struct machine_mount *root, struct err *err)
{
	int ret = settings_from_json(&root_table, json, "root.", 0, "", root, NULL, err);

	if (ret < 0)
		return ret;
	root->destination = strdup("/");
	return root->destination != NULL ? 0 : err_errno(err, ENOMEM, "root");
}

static int decode_parts(const json_t *json, struct machine_spec *spec, struct err *err)
{
	void *items = NULL;
	int ret = decode_root(json_object_get(json, "root"), &spec->root, err);

	if (ret == 0)
		ret = json_items_decode(&mounts, json, "", &items, &spec->n_mounts, err);
	spec->mounts = items;
	if (ret == 0)
		ret = machine_net_decode(
			json_object_get(json, "network"), "network.", &spec->net, err);
	if (ret == 0)
		ret = sysctls_decode(json_object_get(json, "sysctl"), &spec->sysctls, err);
	if (ret == 0)
		ret = process_spec_decode(
			json_object_get(json, "process"), "process.", &spec->process, err);
	return ret;
}

static int decode(const json_t *json, struct machine_spec *spec, struct err *err)
{
	struct spec_entry entry = { .version = 0 };
	int ret;

	if (!json_is_object(json))
		return err_set(err, -EINVAL, "must be an object ({ ... })");
	ret = settings_from_json(&table, json, "", 0, "", &entry, NULL, err);
	*spec = entry.spec;
	return ret < 0 ? ret : decode_parts(json, spec, err);
}

int machine_spec_parse(const char *text, size_t len, struct machine_spec *spec, struct err *err)
{
	json_t *json;
	int ret;

	*spec = (struct machine_spec) { .hostname = NULL };
	ret = json_source_text("machine spec", text, len, MACHINE_SPEC_MAX, &json, err);
	if (ret < 0)
		return ret;
	ret = decode(json, spec, err);
	json_decref(json);
	if (ret == 0)
		return 0;
	machine_spec_free(spec);
	return err_wrap(err, ret == -ENOMEM ? ret : -EINVAL, "machine spec");
}

/* Takes `value` over. */
static bool put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0;
}

/* None are not said. */
static bool put_sysctls(json_t *json, const struct sysctls *sysctls)
{
	return sysctls->n == 0 || put(json, "sysctl", sysctls_encode(sysctls));
}

static json_t *encode(const struct machine_spec *spec)
{
	const struct spec_entry entry = { .spec = *spec, .version = MACHINE_SPEC_VERSION };
	json_t *json = settings_to_json(&table, 0, &entry);

	if (json != NULL && put(json, "network", machine_net_encode(&spec->net)) &&
		put(json, "root", settings_to_json(&root_table, 0, &spec->root)) &&
		json_items_put(json, &mounts, spec->mounts, spec->n_mounts) &&
		put_sysctls(json, &spec->sysctls) &&
		put(json, "process", process_spec_encode(&spec->process)))
		return json;
	json_decref(json);
	return NULL;
}

char *machine_spec_format(const struct machine_spec *spec)
{
	json_t *json = encode(spec);
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

void machine_spec_free(struct machine_spec *spec)
{
	free(spec->hostname);
	free(spec->hosts);
	free(spec->resolv_conf);
	machine_net_free(&spec->net);
	free_mount(&spec->root);
	for (size_t i = 0; i < spec->n_mounts; i++)
		free_mount(&spec->mounts[i]);
	free(spec->mounts);
	sysctls_free(&spec->sysctls);
	process_spec_free(&spec->process);
	*spec = (struct machine_spec) { .hostname = NULL };
}
