/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_verbs.h"

#include <errno.h>

#include "launcher/cni/cni_result.h"
#include "launcher/cni/cni_result_check.h"
#include "launcher/cni/cni_store.h"

static bool is_of(const struct cni_lease *lease, const void *who)
{
	return cni_lease_is_of(lease, who);
}

static bool is_none(const struct cni_lease *lease, const void *context)
{
	return false;
}

static bool has_lease(const struct ip_addr *addr, const void *store)
{
	return cni_store_find(store, addr) != NULL;
}

static int check_new(
	const struct cni_store *store, const struct cni_attachment *who, struct err *err)
{
	for (size_t i = 0; i < store->n; i++) {
		const struct cni_lease *lease = &store->leases[i];
		char addr[IP_ADDR_TEXT_MAX];

		if (cni_lease_is_of(lease, who))
			return err_set(err, -EALREADY,
				"interface \"%s\" of container \"%s\" has %s already (DEL takes it "
				"back)",
				who->ifname, who->container_id, ip_addr_format(&lease->addr, addr));
	}
	return 0;
}

static int take_one(struct cni_store *store, const struct cni_request *request, unsigned set,
	struct cni_given *given, struct err *err)
{
	const struct cni_config *config = &request->config;
	struct ip_addr last;
	bool has_last = cni_store_last(store, set, &last);
	int ret;

	given->range = cni_ranges_pick(
		&config->ranges, set, has_last ? &last : NULL, has_lease, store, &given->addr);
	if (given->range == NULL)
		return err_set(err, -EADDRNOTAVAIL,
			"all addresses of network \"%s\" are taken (set %u of its ranges)",
			config->name, set);
	ret = cni_store_take(store, &given->addr, &request->who, err);
	if (ret == 0)
		cni_store_set_last(store, set, &given->addr);
	return ret;
}

/* One address of each set. */
static int take_all(struct cni_store *store, const struct cni_request *request,
	struct cni_given *given, struct err *err)
{
	int ret = 0;

	for (unsigned set = 0; ret == 0 && set < request->config.ranges.n_sets; set++)
		ret = take_one(store, request, set, &given[set], err);
	return ret;
}

static int give(struct cni_store *store, const struct cni_request *request, json_t **result,
	struct err *err)
{
	struct cni_given given[CNI_RANGES_MAX];
	int ret = check_new(store, &request->who, err);

	if (ret < 0)
		return ret;
	/* What killed calls left half-written would be in the way. */
	cni_store_release(store, is_none, NULL, NULL);
	ret = take_all(store, request, given, err);
	if (ret == 0)
		ret = cni_result_make(&request->config, &request->who, given,
			request->config.ranges.n_sets, result, err);
	if (ret < 0)
		cni_store_release(store, is_of, &request->who, NULL);
	return ret;
}

static int add_alone(const struct cni_request *request, json_t **result, struct err *err)
{
	cleanup_cni_store struct cni_store store = CNI_STORE_NONE;
	int ret;

	if (request->config.prev_result != NULL)
		return err_set(err, -EINVAL,
			"%s: has no meaning behind another plugin, which gave the addresses",
			json_object_get(request->json, "ranges") != NULL ? "ranges" : "subnet");
	ret = cni_store_open(&request->config, &store, err);
	return ret < 0 ? ret : give(&store, request, result, err);
}

int cni_add(const struct cni_request *request, json_t **result, struct err *err)
{
	const struct cni_config *config = &request->config;
	int ret;

	if (config->ranges.n_sets > 0)
		return add_alone(request, result, err);
	if (config->prev_result == NULL)
		return err_set(err, -EINVAL,
			"wants prevResult of a plugin before it in the list, or \"subnet\" or "
			"\"ranges\" to give addresses itself");
	ret = cni_result_check(config->prev_result, config->version, "prevResult", err);
	return ret < 0 ? ret : cni_result_pass_on(config, &request->who, result, err);
}
