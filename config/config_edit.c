/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/config_edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* n elements of `size` bytes; NULL for none. -ENOMEM. */
static int copy_array(void *to, const void *from, size_t n, size_t size)
{
	void **out = to;

	*out = NULL;
	if (n == 0)
		return 0;
	*out = malloc(n * size);
	if (*out == NULL)
		return -ENOMEM;
	memcpy(*out, from, n * size);
	return 0;
}

int sluiced_config_copy(struct sluiced_config *to, const struct sluiced_config *from)
{
	int ret;

	*to = *from;
	to->fdb_static = NULL;
	to->neighbour_static = NULL;
	ret = copy_array(&to->ports, from->ports, from->n_ports, sizeof(*from->ports));
	if (ret == 0)
		ret = copy_array(&to->fdb_static, from->fdb_static, from->n_fdb_static,
			sizeof(*from->fdb_static));
	if (ret == 0)
		ret = copy_array(&to->neighbour_static, from->neighbour_static,
			from->n_neighbour_static, sizeof(*from->neighbour_static));
	if (ret < 0)
		sluiced_config_free(to);
	return ret;
}

/*
 * Room for one more entry at the end of an array of n (of `size` bytes, at most `max`), not counted
 * yet; NULL with *err set. `what` is what messages call the entries.
 */
static void *grow(void *array, size_t n, size_t max, size_t size, const char *what, struct err *err)
{
	void **at = array;
	void *grown;

	if (n == max) {
		err_set(err, -ENOSPC, "there are %zu %s already, the most there may be", max, what);
		return NULL;
	}
	grown = reallocarray(*at, n + 1, size);
	if (grown == NULL) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	*at = grown;
	return (char *)grown + n * size;
}

struct port_config *sluiced_config_add_port(struct sluiced_config *config, struct err *err)
{
	struct port_config *port =
		grow(&config->ports, config->n_ports, N_PORTS_MAX, sizeof(*port), "ports", err);

	if (port == NULL)
		return NULL;
	config->n_ports++;
	return memset(port, 0, sizeof(*port));
}

int sluiced_config_del_port(struct sluiced_config *config, const char *name, struct err *err)
{
	const struct port_config *port = sluiced_config_port(config, name);
	size_t n = 0, at;

	if (port == NULL)
		return err_set(err, -ENOENT, "there is no port \"%.32s\"", name);
	for (size_t i = 0; i < config->n_fdb_static; i++)
		if (strcmp(config->fdb_static[i].port, port->name) != 0)
			config->fdb_static[n++] = config->fdb_static[i];
	config->n_fdb_static = n;
	at = (size_t)(port - config->ports);
	config->n_ports--;
	memmove(&config->ports[at], &config->ports[at + 1],
		(config->n_ports - at) * sizeof(*config->ports));
	return 0;
}

struct fdb_static_config *sluiced_config_static(
	const struct sluiced_config *config, const struct mac *mac, uint16_t vlan)
{
	for (size_t i = 0; i < config->n_fdb_static; i++)
		if (config->fdb_static[i].vlan == vlan &&
			memcmp(&config->fdb_static[i].mac, mac, sizeof(*mac)) == 0)
			return &config->fdb_static[i];
	return NULL;
}

int sluiced_config_add_static(
	struct sluiced_config *config, const struct fdb_static_config *entry, struct err *err)
{
	struct fdb_static_config *found = sluiced_config_static(config, &entry->mac, entry->vlan);

	if (found == NULL) {
		found = grow(&config->fdb_static, config->n_fdb_static, FDB_STATIC_MAX,
			sizeof(*found), "static addresses", err);
		if (found == NULL)
			return -ENOSPC;
		config->n_fdb_static++;
	}
	*found = *entry;
	return 0;
}

bool sluiced_config_del_static(struct sluiced_config *config, const struct mac *mac, uint16_t vlan)
{
	struct fdb_static_config *found = sluiced_config_static(config, mac, vlan);

	if (found == NULL)
		return false;
	*found = config->fdb_static[--config->n_fdb_static];
	return true;
}

struct neighbour_static_config *sluiced_config_neighbour(
	const struct sluiced_config *config, const struct ip_addr *ip)
{
	for (size_t i = 0; i < config->n_neighbour_static; i++)
		if (ip_addr_equal(&config->neighbour_static[i].ip, ip))
			return &config->neighbour_static[i];
	return NULL;
}

int sluiced_config_add_neighbour(
	struct sluiced_config *config, const struct neighbour_static_config *entry, struct err *err)
{
	struct neighbour_static_config *found = sluiced_config_neighbour(config, &entry->ip);

	if (found == NULL) {
		found = grow(&config->neighbour_static, config->n_neighbour_static,
			NEIGHBOUR_STATIC_MAX, sizeof(*found), "static neighbours", err);
		if (found == NULL)
			return -ENOSPC;
		config->n_neighbour_static++;
	}
	*found = *entry;
	return 0;
}

bool sluiced_config_del_neighbour(struct sluiced_config *config, const struct ip_addr *ip)
{
	struct neighbour_static_config *found = sluiced_config_neighbour(config, ip);

	if (found == NULL)
		return false;
	*found = config->neighbour_static[--config->n_neighbour_static];
	return true;
}
