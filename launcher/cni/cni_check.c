/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_verbs.h"

#include <errno.h>
#include <string.h>

#include "launcher/cni/cni_result.h"
#include "launcher/cni/cni_result_check.h"
#include "launcher/cni/cni_store.h"

/* The attachment's address of that set; NULL: it has none. */
static const struct cni_lease *lease_of(
	const struct cni_store *store, const struct cni_request *request, unsigned set)
{
	const struct cni_ranges *ranges = &request->config.ranges;

	for (size_t i = 0; i < store->n; i++) {
		const struct cni_lease *lease = &store->leases[i];

		if (!cni_lease_is_of(lease, &request->who))
			continue;
		for (size_t j = 0; j < ranges->n; j++)
			if (ranges->range[j].set == set &&
				cni_range_has(&ranges->range[j], &lease->addr))
				return lease;
	}
	return NULL;
}

static bool is_known(const struct cni_store *store, const struct cni_attachment *who)
{
	for (size_t i = 0; i < store->n; i++)
		if (cni_lease_is_of(&store->leases[i], who))
			return true;
	return false;
}

static int check_leases(
	const struct cni_store *store, const struct cni_request *request, struct err *err)
{
	const struct cni_config *config = &request->config;

	if (!is_known(store, &request->who))
		return err_set(err, -ESRCH,
			"interface \"%s\" of container \"%s\" has no address of network \"%s\"",
			request->who.ifname, request->who.container_id, config->name);
	for (unsigned set = 0; set < config->ranges.n_sets; set++) {
		const struct cni_lease *lease = lease_of(store, request, set);
		char addr[IP_ADDR_TEXT_MAX];

		if (lease == NULL)
			return err_set(err, -ESTALE,
				"interface \"%s\" of container \"%s\" has no address of set %u of "
				"the ranges",
				request->who.ifname, request->who.container_id, set);
		if (!cni_result_has_addr(config->prev_result, &lease->addr))
			return err_set(err, -ESTALE, "prevResult.ips: lacks %s",
				ip_addr_format(&lease->addr, addr));
	}
	return 0;
}

static int check_interface(const struct cni_request *request, struct err *err)
{
	const struct mac mac = cni_attachment_mac(&request->who);
	const json_t *interface = cni_result_interface(request->config.prev_result, &request->who);
	const char *said = json_string_value(json_object_get(interface, "mac"));
	struct mac said_mac;
	char text[MAC_TEXT_MAX];

	if (said == NULL || mac_parse(said, &said_mac) < 0 ||
		memcmp(&said_mac, &mac, sizeof(mac)) != 0)
		return err_set(err, -ESTALE,
			"prevResult.interfaces: lacks \"%s\" with %s in a sandbox",
			request->who.ifname, mac_format(&mac, text));
	return 0;
}

static int check_alone(const struct cni_request *request, struct err *err)
{
	cleanup_cni_store struct cni_store store = CNI_STORE_NONE;
	int ret = cni_store_open_existing(&request->config, &store, err);

	if (ret >= 0)
		ret = check_leases(&store, request, err);
	return ret < 0 ? ret : check_interface(request, err);
}

int cni_check(const struct cni_request *request, json_t **result, struct err *err)
{
	const struct cni_config *config = &request->config;
	int ret;

	if (config->prev_result == NULL)
		return err_set(err, -EINVAL, "prevResult: is missing, which CHECK is about");
	ret = cni_result_check(config->prev_result, config->version, "prevResult", err);
	if (ret == 0 && config->ranges.n_sets > 0)
		ret = check_alone(request, err);
	if (ret == 0 && !cni_result_has_socket(config->prev_result, config, &request->who))
		return err_set(err, -ESTALE,
			"prevResult.interfaces: \"%s\" does not have the socketPath that it was "
			"given",
			request->who.ifname);
	return ret;
}
