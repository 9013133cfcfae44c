/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/container_spec.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "config/json_items.h"
#include "config/json_source.h"
#include "config/settings.h"

#define HOSTNAME_MAX 64   /* HOST_NAME_MAX of Linux */
#define OPTIONS_MAX  4095 /* mount(2) takes a page */

/* --- volumes --------------------------------------------------------------------------------- */

static const struct setting_word volume_kinds[] = {
	{ "virtiofs", MACHINE_VIRTIOFS },
	{ "nfs", MACHINE_NFS },
	{ "tmpfs", MACHINE_TMPFS },
	{ NULL, 0 },
};

#define FIELD(member) SETTING_FIELD(struct machine_mount, member)

static const struct setting volume_rows[] = {
	{ "kind", SETTING_ENUM, FIELD(kind), .words = volume_kinds, .required = true,
		.help = "how it gets into the guest" },
	{ "destination", SETTING_PATH, FIELD(destination), .heap = true, .max = PATH_MAX - 1,
		.required = true, .help = "where, in the root" },
	{ "options", SETTING_STRING, FIELD(options), .heap = true, .max = OPTIONS_MAX,
		.help = "as mount(2) takes them" },
	{ "readonly", SETTING_BOOL, FIELD(readonly), .help = "nothing can be written" },
	{ "optional", SETTING_BOOL, FIELD(optional), .help = "the VM starts without it" },
};

#undef FIELD

static const struct settings volume_table = SETTINGS(volume_rows, NULL);

static int decode_volume(const json_t *object, const char *at, void *item, struct err *err)
{
	struct machine_mount *volume = item;
	int ret = settings_from_json(&volume_table, object, at, 0, "", volume, NULL, err);

	if (ret == 0 && strspn(volume->destination, "/") == strlen(volume->destination))
		ret = err_set(err, -EINVAL, "%sdestination: \"%s\" is the root itself", at,
			volume->destination);
	return ret;
}

static const struct json_items volumes = { "volumes", MACHINE_MOUNTS_MAX,
	sizeof(struct machine_mount), decode_volume, NULL };

static int take_volumes(const json_t *json, struct container_spec *spec, struct err *err)
{
	void *items = NULL;
	int ret = json_items_decode(&volumes, json, "", &items, &spec->n_volumes, err);

	spec->volumes = items;
	return ret;
}

/* --- settings -------------------------------------------------------------------------------- */

/* Which keys there are, and what they may be, is the matter of whoever has the table of them. */
static int take_settings(const json_t *json, struct container_spec *spec, struct err *err)
{
	json_t *object = json_object_get(json, "settings"), *value;
	const char *key;

	spec->settings = calloc(json_object_size(object) + 1, sizeof(*spec->settings));
	if (spec->settings == NULL)
		return err_errno(err, ENOMEM, "settings");
	json_object_foreach (object, key, value) {
		struct container_setting *setting = &spec->settings[spec->n_settings];

		if (!json_is_string(value))
			return err_set(err, -EINVAL, "settings.%.64s: must be text", key);
		setting->key = strdup(key);
		setting->value = strdup(json_string_value(value));
		spec->n_settings++;
		if (setting->key == NULL || setting->value == NULL)
			return err_errno(err, ENOMEM, "settings");
	}
	return 0;
}

/* --- vectors --------------------------------------------------------------------------------- */

static bool is_variable(const char *text)
{
	return text[0] != '=' && strchr(text, '=') != NULL;
}

static bool is_any(const char *text)
{
	return true;
}

/* Strings of json[key], ended by NULL. */
static int take_strings(const json_t *json, const char *key, bool (*is_good)(const char *text),
	const char *wanted, char ***strings, struct err *err)
{
	const json_t *array = json_object_get(json, key), *entry;
	size_t i;

	*strings = calloc(json_array_size(array) + 1, sizeof(**strings));
	if (*strings == NULL)
		return err_errno(err, ENOMEM, "%s", key);
	json_array_foreach (array, i, entry) {
		const char *text = json_string_value(entry);

		if (text == NULL || !is_good(text))
			return err_set(err, -EINVAL, "%s[%zu]: must be %s", key, i, wanted);
		(*strings)[i] = strdup(text);
		if ((*strings)[i] == NULL)
			return err_errno(err, ENOMEM, "%s", key);
	}
	return 0;
}

static int take_args(const json_t *json, struct container_spec *spec, struct err *err)
{
	int ret = take_strings(json, "args", is_any, "text", &spec->args, err);

	if (ret == 0 && spec->args[0] == NULL)
		ret = err_set(err, -EINVAL, "args: has no entry (the first is the program)");
	return ret;
}

static void free_strings(char **strings)
{
	for (char **s = strings; s != NULL && *s != NULL; s++)
		free(*s);
	free(strings);
}

/* --- all of it ------------------------------------------------------------------------------- */

/* As it is written. */
struct spec_entry {
	struct container_spec spec;
	uint32_t version;
};

#define FIELD(member) SETTING_FIELD(struct spec_entry, member)

static const struct setting rows[] = {
	{ "version", SETTING_U32, FIELD(version), .min = CONTAINER_SPEC_VERSION,
		.max = CONTAINER_SPEC_VERSION, .required = true, .help = "of this format" },
	{ "settings", SETTING_OBJECT, .help = "of the VM" },
	{ "hostname", SETTING_NAME, FIELD(spec.hostname), .heap = true, .max = HOSTNAME_MAX,
		.help = "the guest's" },
	{ "share", SETTING_PATH, FIELD(spec.share), .heap = true, .max = PATH_MAX - 1,
		.required = true, .help = "what is exported" },
	{ "readonly", SETTING_BOOL, FIELD(spec.readonly), .help = "the root" },
	{ "volumes", SETTING_ARRAY, .help = "what is mounted in the root, in order" },
	{ "sysctl", SETTING_OBJECT, .help = "settings of the guest's kernel" },
	{ "process", SETTING_OBJECT, .required = true, .help = "how the workload is run" },
	{ "args", SETTING_ARRAY, .required = true, .help = "what is run" },
	{ "env", SETTING_ARRAY, .help = "its variables" },
};

#undef FIELD

static const struct settings table = SETTINGS(rows, NULL);

static int decode_parts(const json_t *json, struct container_spec *spec, struct err *err)
{
	int ret = take_settings(json, spec, err);

	if (ret == 0)
		ret = take_volumes(json, spec, err);
	if (ret == 0)
		ret = sysctls_decode(json_object_get(json, "sysctl"), &spec->sysctls, err);
	if (ret == 0)
		ret = take_args(json, spec, err);
	if (ret == 0)
		ret = take_strings(json, "env", is_variable, "NAME=VALUE", &spec->env, err);
	if (ret == 0)
		ret = process_spec_decode(
			json_object_get(json, "process"), "process.", &spec->process, err);
	return ret;
}

static int decode(const json_t *json, struct container_spec *spec, struct err *err)
{
	struct spec_entry entry = { .version = 0 };
	int ret;

	if (!json_is_object(json))
		return err_set(err, -EINVAL, "must be an object ({ ... })");
	ret = settings_from_json(&table, json, "", 0, "", &entry, NULL, err);
	*spec = entry.spec;
	return ret < 0 ? ret : decode_parts(json, spec, err);
}

int container_spec_parse(const char *text, size_t len, struct container_spec *spec, struct err *err)
{
	json_t *json;
	int ret;

	*spec = (struct container_spec) { .settings = NULL };
	ret = json_source_text("container spec", text, len, CONTAINER_SPEC_MAX, &json, err);
	if (ret < 0)
		return ret;
	ret = decode(json, spec, err);
	json_decref(json);
	if (ret == 0)
		return 0;
	container_spec_free(spec);
	return err_wrap(err, ret == -ENOMEM ? ret : -EINVAL, "container spec");
}

void container_spec_free(struct container_spec *spec)
{
	for (size_t i = 0; i < spec->n_settings; i++) {
		free(spec->settings[i].key);
		free(spec->settings[i].value);
	}
	for (size_t i = 0; i < spec->n_volumes; i++) {
		free(spec->volumes[i].destination);
		free(spec->volumes[i].options);
	}
	free(spec->settings);
	free(spec->volumes);
	free(spec->hostname);
	free(spec->share);
	sysctls_free(&spec->sysctls);
	process_spec_free(&spec->process);
	free_strings(spec->args);
	free_strings(spec->env);
	*spec = (struct container_spec) { .settings = NULL };
}
