/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "launcher/cni/cni_store.h"

/* Root may write wherever it can be written at all. */
static int check_writable(
	const struct cni_store *store, const struct cni_config *config, struct err *err)
{
	if (faccessat(store->dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return err_errno(
			err, errno, "cannot write into %s/%s", config->data_dir, config->name);
	return 0;
}

static bool has_somebody(const struct ip_addr *addr, const void *context)
{
	const struct cni_store *store = context;
	const struct cni_lease *lease = cni_store_find(store, addr);

	return lease != NULL && lease->container_id[0] != '\0';
}

static int check_addresses(
	const struct cni_store *store, const struct cni_config *config, struct err *err)
{
	struct ip_addr addr;

	for (unsigned set = 0; set < config->ranges.n_sets; set++)
		if (cni_ranges_pick(&config->ranges, set, NULL, has_somebody, store, &addr) == NULL)
			return err_set(err, -EHOSTDOWN,
				"all addresses of network \"%s\" are taken (set %u of its ranges)",
				config->name, set);
	return 0;
}

int cni_status(const struct cni_request *request, json_t **result, struct err *err)
{
	cleanup_cni_store struct cni_store store = CNI_STORE_NONE;
	const struct cni_config *config = &request->config;
	int ret;

	/* Behind another plugin nothing is needed. */
	if (config->ranges.n_sets == 0)
		return 0;
	ret = cni_store_open(config, &store, err);
	if (ret == 0)
		ret = check_writable(&store, config, err);
	if (ret == 0)
		ret = check_addresses(&store, config, err);
	return ret < 0 ? -EHOSTDOWN : 0;
}
