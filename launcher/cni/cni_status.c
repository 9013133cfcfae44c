/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/cni/cni_verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/cni/cni_store.h"
#include "lib/cleanup.h"

/* Leaves the last of *path's directories out. */
static bool leave_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || slash[1] == '\0')
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* Whether an ADD could make the network's directory: where the first that is missing would be. */
static int check_makeable(const struct cni_config *config, struct err *err)
{
	cleanup_close int fd = -1;
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", config->data_dir, config->name);
	while (lstat(path, &st) < 0 && errno == ENOENT && leave_last(path))
		continue;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return err_errno(
			err, errno, "cannot make %s/%s: %s", config->data_dir, config->name, path);
	return 0;
}

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
	/* It only asks: nothing is made. */
	ret = cni_store_open_existing(config, &store, err);
	if (ret == 0)
		ret = check_writable(&store, config, err);
	else if (ret == 1)
		ret = check_makeable(config, err);
	if (ret == 0)
		ret = check_addresses(&store, config, err);
	return ret < 0 ? -EHOSTDOWN : 0;
}
