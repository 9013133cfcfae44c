/* SPDX-License-Identifier: BSD-3-Clause */

/* The configuration file's decoder: whatever the bytes, a sound configuration or one line. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/sluiced_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_kind(const struct port_config *port)
{
	switch (port->kind) {
	case PORT_KIND_PACKET:
		assert(port->interface[0] != '\0' && port->mtu == 0 && mac_is_zero(&port->mac));
		assert(port->socket[0] == '\0' && port->devargs[0] == '\0');
		return;
	case PORT_KIND_VHOST_USER:
		assert(port->socket[0] == '/');
		assert(port->interface[0] == '\0' && port->devargs[0] == '\0');
		return;
	case PORT_KIND_ETHDEV:
		assert(port->devargs[0] != '\0' && mac_is_zero(&port->mac));
		assert(port->interface[0] == '\0' && port->socket[0] == '\0');
		return;
	}
	assert(false);
}

static void check_port(const struct sluiced_config *config, const struct port_config *port)
{
	assert(port->name[0] != '\0' && memchr(port->name, '\0', sizeof(port->name)) != NULL);
	check_kind(port);
	assert(port->mtu == 0 || port->mtu >= 68);
	assert(!mac_is_multicast(&port->mac));
	assert(port->offload_csum || !port->offload_tso);
	assert(port->queues >= 1 && port->queues <= QUEUES_MAX);
	assert(port->vlan <= VLAN_ID_MAX && port->n_workers <= WORKERS_MAX);
	for (size_t i = 0; i < WORKERS_MAX; i++)
		assert(port->workers[i] < (i < port->n_workers ? config->n_workers : 1));
	assert(!vlan_set_has(&port->trunks, 0) && !vlan_set_has(&port->trunks, VLAN_N - 1));
}

/* What is written back must be read as the same, to the byte. */
static void check_encoding(const struct sluiced_config *config)
{
	struct sluiced_config again;
	struct err err = { 0 };
	json_t *root = sluiced_config_encode(config);
	char *text = json_dumps(root, 0);

	assert(sluiced_config_decode(&again, text, strlen(text), &err) == 0);
	assert(again.n_workers == config->n_workers && again.spin_us == config->spin_us);
	assert(memcmp(again.worker_cpus, config->worker_cpus, sizeof(again.worker_cpus)) == 0);
	assert(again.n_ports == config->n_ports && again.n_fdb_static == config->n_fdb_static);
	assert(memcmp(again.ports, config->ports, config->n_ports * sizeof(*config->ports)) == 0);
	assert(memcmp(again.fdb_static, config->fdb_static,
		       config->n_fdb_static * sizeof(*config->fdb_static)) == 0);
	sluiced_config_free(&again);
	free(text);
	json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sluiced_config config;
	struct err err = { 0 };

	if (sluiced_config_decode(&config, (const char *)data, size, &err) < 0) {
		assert(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
		assert(config.ports == NULL && config.fdb_static == NULL && config.n_ports == 0);
		return 0;
	}
	assert(config.control_socket[0] == '/');
	assert(config.spin_us <= 1000000 || config.spin_us == SPIN_FOREVER);
	assert(config.n_workers >= 1 && config.n_workers <= WORKERS_MAX);
	for (size_t i = 0; i < config.n_workers; i++)
		assert(config.worker_cpus[i] >= -1 && config.worker_cpus[i] <= 1023);
	assert(config.fdb_size >= 64 && config.fdb_size <= 1048576);
	assert(config.n_ports <= N_PORTS_MAX);
	for (size_t i = 0; i < config.n_ports; i++)
		check_port(&config, &config.ports[i]);
	check_encoding(&config);
	sluiced_config_free(&config);
	return 0;
}
