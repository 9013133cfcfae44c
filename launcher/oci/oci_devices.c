/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_devices.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "launcher/oci/oci_json.h"

struct device {
	const char *path;
	int64_t major, minor;
};

static const struct device kvm_device = { "/dev/kvm", 10, 232 };
static const struct device tun_device = { "/dev/net/tun", 10, 200 };

/* --- what is asked for ----------------------------------------------------------------------- */

static int read_device(json_object *item, const char **path, const char **type,
	struct device *device, struct err *err)
{
	static const char at[] = "linux.devices[].";
	int ret = oci_get_plain(item, at, "path", path, err);

	*device = (struct device) { .major = -1, .minor = -1 };
	if (ret == 0)
		ret = oci_get_plain(item, at, "type", type, err);
	if (ret == 0)
		ret = oci_get_int(item, at, "major", -1, UINT32_MAX, &device->major, err);
	if (ret == 0)
		ret = oci_get_int(item, at, "minor", -1, UINT32_MAX, &device->minor, err);
	if (ret == 0 && (*path == NULL || *type == NULL))
		ret = err_set(err, -EINVAL, "linux.devices[]: wants path and type");
	return ret;
}

/* A path of the user's choice would be one in our root. */
static bool is_ours(const char *path, const char *type, const struct device *asked)
{
	const struct device *ours = strcmp(path, kvm_device.path) == 0   ? &kvm_device
				    : strcmp(path, tun_device.path) == 0 ? &tun_device
									 : NULL;

	return ours != NULL && strcmp(type, "c") == 0 && asked->major == ours->major &&
	       asked->minor == ours->minor;
}

static int check_devices(json_object *devices, struct err *err)
{
	for (size_t i = 0; i < oci_n_items(devices); i++) {
		const char *path = NULL, *type = NULL;
		struct device asked;
		json_object *item;
		int ret = oci_item_object(devices, "linux.devices", i, &item, err);

		if (ret == 0)
			ret = read_device(item, &path, &type, &asked, err);
		if (ret < 0)
			return ret;
		if (!is_ours(path, type, &asked))
			return err_set(err, -ENOTSUP,
				"linux.devices: %.128s: devices of the node cannot be given to a "
				"VM: leave it out, or sluice.dev/vm",
				path);
	}
	return 0;
}

/* Leave for any device whatever: 1 or 0. */
static int is_for_all(json_object *rule, struct err *err)
{
	static const char at[] = "linux.resources.devices[].";
	int64_t major = -1, minor = -1;
	const char *type = NULL;
	bool allow = false;
	int ret = oci_get_bool(rule, at, "allow", &allow, err);

	if (ret == 0)
		ret = oci_get_string(rule, at, "type", &type, err);
	if (ret == 0)
		ret = oci_get_int(rule, at, "major", INT64_MIN, INT64_MAX, &major, err);
	if (ret == 0)
		ret = oci_get_int(rule, at, "minor", INT64_MIN, INT64_MAX, &minor, err);
	if (ret < 0)
		return ret;
	return allow && major < 0 && minor < 0 &&
	       (type == NULL || type[0] == '\0' || strcmp(type, "a") == 0);
}

static int check_rules(json_object *rules, struct err *err)
{
	for (size_t i = 0; i < oci_n_items(rules); i++) {
		json_object *rule;
		int ret = oci_item_object(rules, "linux.resources.devices", i, &rule, err);

		if (ret == 0)
			ret = is_for_all(rule, err);
		if (ret > 0)
			return err_set(err, -ENOTSUP,
				"linux.resources.devices: the container may use every device of "
				"the node (it is privileged), which its VM does not see: leave "
				"that out, or sluice.dev/vm");
		if (ret < 0)
			return ret;
	}
	return 0;
}

int oci_devices_check(json_object *linux_part, struct err *err)
{
	json_object *devices, *resources, *rules;
	int ret = oci_get_array(linux_part, "linux.", "devices", &devices, err);

	if (ret == 0)
		ret = oci_get_object(linux_part, "linux.", "resources", &resources, err);
	if (ret == 0)
		ret = oci_get_array(resources, "linux.resources.", "devices", &rules, err);
	if (ret == 0)
		ret = check_rules(rules, err);
	return ret < 0 ? ret : check_devices(devices, err);
}

/* --- what is given --------------------------------------------------------------------------- */

static bool has_path(json_object *devices, const char *path)
{
	for (size_t i = 0; i < oci_n_items(devices); i++) {
		const char *found;

		if (oci_get_string(
			    json_object_array_get_idx(devices, i), "", "path", &found, NULL) == 0 &&
			found != NULL && strcmp(found, path) == 0)
			return true;
	}
	return false;
}

static int put_numbers(json_object *object, const struct device *device, struct err *err)
{
	int ret = oci_put(object, "type", json_object_new_string("c"), err);

	if (ret == 0)
		ret = oci_put(object, "major", json_object_new_int64(device->major), err);
	if (ret == 0)
		ret = oci_put(object, "minor", json_object_new_int64(device->minor), err);
	return ret;
}

static int add_node(json_object *devices, const struct device *device, struct err *err)
{
	json_object *node = json_object_new_object();
	int ret = oci_append(devices, node, err);

	if (ret == 0)
		ret = oci_put(node, "path", json_object_new_string(device->path), err);
	if (ret == 0)
		ret = put_numbers(node, device, err);
	if (ret == 0)
		ret = oci_put(node, "fileMode", json_object_new_int(0600), err);
	return ret;
}

static int add_rule(json_object *rules, const struct device *device, struct err *err)
{
	json_object *rule = json_object_new_object();
	int ret = oci_append(rules, rule, err);

	if (ret == 0)
		ret = oci_put(rule, "allow", json_object_new_boolean(true), err);
	if (ret == 0)
		ret = put_numbers(rule, device, err);
	if (ret == 0)
		ret = oci_put(rule, "access", json_object_new_string("rw"), err);
	return ret;
}

int oci_devices_add(json_object *linux_part, bool kvm, bool tun, struct err *err)
{
	const struct device *given[] = { kvm ? &kvm_device : NULL, tun ? &tun_device : NULL };
	json_object *devices = oci_make_array(linux_part, "devices");
	json_object *resources = oci_make_object(linux_part, "resources");
	json_object *rules = resources != NULL ? oci_make_array(resources, "devices") : NULL;
	int ret = devices != NULL && rules != NULL
			  ? 0
			  : err_set(err, -EINVAL,
				    "linux.devices, linux.resources: must hold arrays of devices");

	for (size_t i = 0; ret == 0 && i < 2; i++) {
		if (given[i] == NULL)
			continue;
		if (!has_path(devices, given[i]->path))
			ret = add_node(devices, given[i], err);
		if (ret == 0)
			ret = add_rule(rules, given[i], err);
	}
	return ret;
}
