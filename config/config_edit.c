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
	ret = copy_array(&to->ports, from->ports, from->n_ports, sizeof(*from->ports));
	if (ret == 0)
		ret = copy_array(&to->fdb_static, from->fdb_static, from->n_fdb_static,
			sizeof(*from->fdb_static));
	if (ret < 0)
		sluiced_config_free(to);
	return ret;
}

struct port_config *sluiced_config_add_port(struct sluiced_config *config, struct err *err)
{
	struct port_config *ports;

	if (config->n_ports == N_PORTS_MAX) {
		err_set(err, -ENOSPC, "there are %d ports already, the most there may be",
			N_PORTS_MAX);
		return NULL;
	}
	ports = reallocarray(config->ports, config->n_ports + 1, sizeof(*ports));
	if (ports == NULL) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	config->ports = ports;
	return memset(&ports[config->n_ports++], 0, sizeof(*ports));
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
	struct fdb_static_config *grown;

	if (found != NULL) {
		*found = *entry;
		return 0;
	}
	if (config->n_fdb_static == FDB_STATIC_MAX)
		return err_set(err, -ENOSPC,
			"there are %d static addresses already, the most there may be",
			FDB_STATIC_MAX);
	grown = reallocarray(config->fdb_static, config->n_fdb_static + 1, sizeof(*grown));
	if (grown == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	config->fdb_static = grown;
	grown[config->n_fdb_static++] = *entry;
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
