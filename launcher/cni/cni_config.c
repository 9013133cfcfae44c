/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_config.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "launcher/cni/cni_name.h"
#include "launcher/cni/cni_result_check.h"
#include "lib/cleanup.h"

json_t *cni_config_decode(const char *text, size_t len, struct err *err)
{
	json_error_t why;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

	if (json == NULL) {
		err_set(err, -EBADMSG, "line %d: %s", why.line, why.text);
	} else if (!json_is_object(json)) {
		err_set(err, -EBADMSG, "must be an object ({ ... })");
		json_decref(json);
		json = NULL;
	}
	return json;
}

int cni_config_read_version(const json_t *json, enum cni_version *version, struct err *err)
{
	const json_t *value = json_object_get(json, "cniVersion");
	const char *text = json_string_value(value);

	if (value != NULL && text == NULL)
		return err_set(err, -EBADMSG, "cniVersion: must be text");
	/* The specification has a version for those that do not say theirs. */
	if (text == NULL || text[0] == '\0')
		text = "0.1.0";
	if (cni_version_parse(text, version) < 0)
		return err_set(err, -EPROTONOSUPPORT,
			"cniVersion: \"%.40s\" is not spoken (%s, %s, %s and %s are)", text,
			cni_version_text(CNI_0_3_1), cni_version_text(CNI_0_4_0),
			cni_version_text(CNI_1_0_0), cni_version_text(CNI_1_1_0));
	return 0;
}

static int read_name(const json_t *json, const char **name, struct err *err)
{
	int ret;

	*name = json_string_value(json_object_get(json, "name"));
	if (*name == NULL)
		return err_set(err, -EINVAL, "name: must be text");
	ret = cni_name_check(*name, err);
	return ret < 0 ? err_wrap(err, ret, "name") : 0;
}

static int read_dir(const json_t *json, const char *key, const char **dir, struct err *err)
{
	const json_t *value = json_object_get(json, key);
	const char *text = json_string_value(value);

	if (value == NULL || json_is_null(value))
		return 0;
	if (text == NULL || text[0] != '/' || strlen(text) >= PATH_MAX - NAME_MAX)
		return err_set(err, -EINVAL, "%s: must be an absolute path", key);
	*dir = text;
	return 0;
}

int cni_config_read(const json_t *json, struct cni_config *config, struct err *err)
{
	int ret;

	*config = (struct cni_config) { .data_dir = CNI_DATA_DIR };
	ret = cni_config_read_version(json, &config->version, err);
	if (ret == 0)
		ret = read_name(json, &config->name, err);
	return ret < 0 ? ret : read_dir(json, "dataDir", &config->data_dir, err);
}

/* Null, false, and what is empty: a program that writes all fields of a type writes those. */
static bool asks_for_nothing(const json_t *value)
{
	const char *text = json_string_value(value);

	return json_is_null(value) || json_is_false(value) || (text != NULL && text[0] == '\0') ||
	       (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0);
}

static bool is_known(const char *key)
{
	static const char *const keys[] = { "args", "capabilities", "cniVersion", "cniVersions",
		"dataDir", "disableCheck", "disableGC", "dns", "gateway", "name", "prevResult",
		"rangeEnd", "rangeStart", "ranges", "runtimeConfig", "socketDir", "subnet",
		"type" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	/* "cni.dev/valid-attachments", and what others may have for plugins of theirs. */
	return strchr(key, '/') != NULL;
}

static int refuse_key(const char *key, const json_t *value, struct err *err)
{
	cleanup_free char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	return err_set(err, -EOPNOTSUPP, "%.40s: %.100s is not supported%s", key,
		text != NULL ? text : "what it asks for",
		strcmp(key, "ipam") == 0 ? " (\"subnet\" or \"ranges\" say the addresses)" : "");
}

static int check_keys(const json_t *json, struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)json, key, value)
		if (!is_known(key) && !asks_for_nothing(value))
			return refuse_key(key, value, err);
	return 0;
}

static int read_object(const json_t *json, const char *key, const json_t **object, struct err *err)
{
	const json_t *value = json_object_get(json, key);

	if (value == NULL || json_is_null(value))
		return 0;
	if (!json_is_object(value))
		return err_set(err, -EINVAL, "%s: must be an object ({ ... })", key);
	*object = value;
	return 0;
}

int cni_config_read_details(const json_t *json, struct cni_config *config, struct err *err)
{
	int ret = check_keys(json, err);

	if (ret == 0)
		ret = read_dir(json, "socketDir", &config->socket_dir, err);
	if (ret == 0)
		ret = read_object(json, "prevResult", &config->prev_result, err);
	if (ret == 0)
		ret = read_object(json, "dns", &config->dns, err);
	if (ret == 0)
		ret = cni_result_check_dns(config->dns, "dns", err);
	return ret < 0 ? ret : cni_ranges_read(json, &config->ranges, err);
}
