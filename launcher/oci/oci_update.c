/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/oci/oci_update.h"

#include <errno.h>
#include <stdint.h>

#include "launcher/oci/oci_json.h"
#include "launcher/oci/oci_resources.h"

/* In bytes; 0: not said; -1: none. */
static int read_limit(json_object *memory, const char *key, int64_t *limit, struct err *err)
{
	int ret = oci_get_int(memory, "memory.", key, INT64_MIN, INT64_MAX, limit, err);

	if (ret == 0 && (*limit < 0 || *limit >= OCI_NO_LIMIT))
		*limit = -1;
	return ret;
}

/* What the container has in its own eyes is less than what the VM has by `outside`. */
static int keep(json_object *memory, const char *key, int64_t asked, int64_t has, int64_t outside,
	struct err *err)
{
	if (asked <= 0 && has <= 0)
		return 0;
	if (asked > 0 && has > 0 && asked + outside == has)
		return oci_put(memory, key, json_object_new_int64(has), err);
	return err_set(err, -ENOTSUP,
		"memory.%s: the memory of a VM cannot be changed while it runs: make the container "
		"anew",
		key);
}

int oci_update_convert(json_object *resources, json_object *was,
	const struct runtime_settings *settings, struct err *err)
{
	static const char *const keys[] = { "limit", "swap" };
	int64_t outside = settings->memory_outside ? (int64_t)settings->overhead_mib << 20 : 0;
	json_object *memory, *old;
	int ret;

	if (!json_object_is_type(resources, json_type_object))
		return err_set(err, -EINVAL, "is not a JSON object");
	ret = oci_get_object(resources, "", "memory", &memory, err);
	if (ret == 0)
		ret = oci_get_object(was, "linux.resources.", "memory", &old, err);
	for (size_t i = 0; ret == 0 && i < sizeof(keys) / sizeof(keys[0]); i++) {
		int64_t asked = 0, has = 0;

		ret = read_limit(memory, keys[i], &asked, err);
		if (ret == 0)
			ret = read_limit(old, keys[i], &has, err);
		if (ret == 0 && asked != 0)
			ret = keep(memory, keys[i], asked, has, outside, err);
	}
	return ret;
}
