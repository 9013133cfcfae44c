/* SPDX-License-Identifier: BSD-3-Clause */

/* The configuration file's decoder: whatever the bytes, a sound configuration or one line. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "config/sluiced_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_port(const struct port_config *port)
{
	assert(port->name[0] != '\0' && memchr(port->name, '\0', sizeof(port->name)) != NULL);
	assert(port->kind == PORT_KIND_PACKET || port->kind == PORT_KIND_VHOST_USER);
	if (port->kind == PORT_KIND_PACKET) {
		assert(port->interface[0] != '\0');
		assert(port->socket[0] == '\0' && port->mtu == 0 && mac_is_zero(&port->mac));
		return;
	}
	assert(port->socket[0] == '/' && port->interface[0] == '\0');
	assert(port->mtu == 0 || port->mtu >= 68);
	assert(!mac_is_multicast(&port->mac));
	assert(port->offload_csum || (!port->offload_tso && !port->offload_uso));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sluiced_config config;
	struct err err = { 0 };

	if (sluiced_config_decode(&config, (const char *)data, size, &err) < 0) {
		assert(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
		assert(config.ports == NULL && config.n_ports == 0);
		return 0;
	}
	assert(config.control_socket[0] == '/');
	assert(config.spin_us <= 1000000 || config.spin_us == SPIN_FOREVER);
	assert(config.worker_cpus[0] >= -1 && config.worker_cpus[0] <= 1023);
	assert(config.fdb_size >= 64 && config.fdb_size <= 1048576);
	assert(config.n_ports <= N_PORTS_MAX);
	for (size_t i = 0; i < config.n_ports; i++)
		check_port(&config.ports[i]);
	sluiced_config_free(&config);
	return 0;
}
