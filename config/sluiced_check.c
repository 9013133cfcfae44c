/* SPDX-License-Identifier: BSD-3-Clause */

/* sluiced_config_check(): what must hold between the parts of a configuration. */

#include "config/sluiced_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/role_check.h"
#include "lib/cleanup.h"

/* Something that only one port can have. Fields that do not belong to a kind are empty. */
struct claim {
	const char *key, *text;
	size_t len;
};

enum { N_CLAIMS = 4 };

static void claims_of(const struct port_config *port, struct claim claims[N_CLAIMS])
{
	size_t socket_len;
	const char *socket = port_config_socket(port, &socket_len);
	const struct claim all[N_CLAIMS] = {
		{ "name", port->name, strlen(port->name) },
		{ "interface", port->interface, strlen(port->interface) },
		{ "socket", socket, socket_len },
		/* The device's name alone: DPDK has one of each. */
		{ "devargs", port->devargs, strcspn(port->devargs, ",") },
	};

	memcpy(claims, all, sizeof(all));
}

static int check_pair(
	const struct sluiced_config *config, size_t first, size_t second, struct err *err)
{
	struct claim a[N_CLAIMS], b[N_CLAIMS];

	claims_of(&config->ports[first], a);
	claims_of(&config->ports[second], b);
	for (size_t i = 0; i < N_CLAIMS; i++) {
		if (a[i].len > 0 && a[i].len == b[i].len &&
			memcmp(a[i].text, b[i].text, a[i].len) == 0)
			return err_set(err, -EINVAL,
				"ports[%zu].%s: \"%.*s\" is taken by ports[%zu] (must be unique)",
				second, a[i].key, (int)a[i].len, a[i].text, first);
	}
	return 0;
}

static int check_workers(const struct sluiced_config *config, size_t index, struct err *err)
{
	const struct port_config *port = &config->ports[index];

	for (size_t i = 0; i < port->n_workers; i++) {
		if (port->workers[i] >= config->n_workers)
			return err_set(err, -EINVAL,
				"ports[%zu].workers: there is no worker %d (worker-cpus makes %d: "
				"0 to %d)",
				index, port->workers[i], config->n_workers, config->n_workers - 1);
	}
	return 0;
}

static int check_port(const struct sluiced_config *config, size_t index, struct err *err)
{
	const char *socket = config->ports[index].socket;

	if (strcmp(socket, config->control_socket) == 0)
		return err_set(err, -EINVAL,
			"ports[%zu].socket: \"%s\" is the control socket (must be unique)", index,
			socket);
	for (size_t first = 0; first < index; first++) {
		int ret = check_pair(config, first, index, err);

		if (ret < 0)
			return ret;
	}
	return check_workers(config, index, err);
}

static int check_static(const struct sluiced_config *config, size_t index, struct err *err)
{
	const struct fdb_static_config *entry = &config->fdb_static[index];
	char text[MAC_TEXT_MAX];

	if (!sluiced_config_port(config, entry->port))
		return err_set(err, -EINVAL, "fdb-static[%zu].port: there is no port \"%s\"", index,
			entry->port);
	for (size_t first = 0; first < index; first++) {
		const struct fdb_static_config *other = &config->fdb_static[first];

		if (entry->vlan == other->vlan &&
			memcmp(&entry->mac, &other->mac, sizeof(entry->mac)) == 0)
			return err_set(err, -EINVAL,
				"fdb-static[%zu].mac: \"%s\" is taken by fdb-static[%zu] (must be "
				"unique in its VLAN)",
				index, mac_format(&entry->mac, text), first);
	}
	return 0;
}

static int compare_addrs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_addr));
}

/* There may be thousands: sorted copies of an address lie side by side. */
static int check_neighbours(const struct sluiced_config *config, struct err *err)
{
	size_t n = config->n_neighbour_static;
	cleanup_free struct ip_addr *sorted = calloc(n + 1, sizeof(*sorted));
	char text[IP_ADDR_TEXT_MAX];

	if (sorted == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		sorted[i] = config->neighbour_static[i].ip;
	qsort(sorted, n, sizeof(*sorted), compare_addrs);
	for (size_t i = 1; i < n; i++)
		if (ip_addr_equal(&sorted[i - 1], &sorted[i]))
			return err_set(err, -EINVAL, "neighbour-static: \"%s\" is there twice",
				ip_addr_format(&sorted[i], text));
	return 0;
}

int sluiced_config_check(const struct sluiced_config *config, struct err *err)
{
	int ret = 0;

	if (config->n_ports > N_PORTS_MAX)
		return err_set(err, -EINVAL, "ports: has %zu entries (at most %d)", config->n_ports,
			N_PORTS_MAX);
	if (config->n_fdb_static > FDB_STATIC_MAX)
		return err_set(err, -EINVAL, "fdb-static: has %zu entries (at most %d)",
			config->n_fdb_static, FDB_STATIC_MAX);
	if (config->n_fdb_static > config->fdb_size / 2)
		return err_set(err, -EINVAL,
			"fdb-static: has %zu entries, more than half of fdb-size (%u)",
			config->n_fdb_static, config->fdb_size);
	for (size_t i = 0; i < config->n_ports && ret == 0; i++)
		ret = check_port(config, i, err);
	for (size_t i = 0; i < config->n_fdb_static && ret == 0; i++)
		ret = check_static(config, i, err);
	if (ret == 0)
		ret = check_neighbours(config, err);
	return ret == 0 ? sluiced_config_check_roles(config, err) : ret;
}
