/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_verbs.h"

#include <errno.h>
#include <stdio.h>

#include "launcher/cni/cni_store.h"
#include "lib/cleanup.h"

#define ATTACHMENTS "cni.dev/valid-attachments"

static int release(const struct cni_request *request,
	bool (*is_stale)(const struct cni_lease *lease, const void *context), const void *context,
	struct err *err)
{
	cleanup_cni_store struct cni_store store = CNI_STORE_NONE;
	int ret = cni_store_open_existing(&request->config, &store, err);

	return ret != 0 ? (ret < 0 ? ret : 0) : cni_store_release(&store, is_stale, context, err);
}

static bool is_of(const struct cni_lease *lease, const void *who)
{
	return cni_lease_is_of(lease, who);
}

int cni_del(const struct cni_request *request, json_t **result, struct err *err)
{
	return release(request, is_of, &request->who, err);
}

/* What the valid attachments are found by. No container's ID has a '/'. */
static json_t *find(const json_t *valid, const char *container_id, const char *ifname)
{
	cleanup_free char *key = NULL;

	if (asprintf(&key, "%s/%s", container_id, ifname) < 0)
		return NULL;
	return json_object_get(valid, key);
}

static bool is_not_valid(const struct cni_lease *lease, const void *valid)
{
	return find(valid, lease->container_id, lease->ifname) == NULL;
}

static int add_valid(json_t *valid, const json_t *entry, size_t i, struct err *err)
{
	const char *container_id = json_string_value(json_object_get(entry, "containerID"));
	const char *ifname = json_string_value(json_object_get(entry, "ifname"));
	cleanup_free char *key = NULL;

	if (container_id == NULL || ifname == NULL)
		return err_set(err, -EINVAL,
			ATTACHMENTS "[%zu]: must have containerID and ifname, both text", i);
	if (asprintf(&key, "%s/%s", container_id, ifname) < 0 ||
		json_object_set_new(valid, key, json_true()) < 0)
		return err_errno(err, ENOMEM, "cannot read " ATTACHMENTS);
	return 0;
}

/* Whoever has a list of none in Go writes null. One that is not there at all is no list of none:
 * everybody would lose their addresses by a mistake. */
static int read_valid(const json_t *json, json_t *valid, struct err *err)
{
	const json_t *list = json_object_get(json, ATTACHMENTS);
	const json_t *entry;
	size_t i;
	int ret = 0;

	if (!json_is_array(list) && !json_is_null(list))
		return err_set(err, -EINVAL, ATTACHMENTS ": must be an array ([ ... ])");
	json_array_foreach (list, i, entry) {
		ret = add_valid(valid, entry, i, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int cni_gc(const struct cni_request *request, json_t **result, struct err *err)
{
	json_t *valid = json_object();
	int ret = read_valid(request->json, valid, err);

	if (ret == 0)
		ret = release(request, is_not_valid, valid, err);
	json_decref(valid);
	return ret;
}
