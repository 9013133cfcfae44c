/* SPDX-License-Identifier: BSD-3-Clause */

/* sluiced_config_check_roles(): what must hold between ports of different roles. */

#include "config/role_check.h"

#include <errno.h>

/* The index of the first port of a role, or n_ports. */
static size_t find_role(const struct sluiced_config *config, enum port_role role)
{
	size_t i = 0;

	while (i < config->n_ports && config->ports[i].role != role)
		i++;
	return i;
}

bool sluiced_config_is_pod(const struct sluiced_config *config)
{
	size_t uplink = find_role(config, PORT_ROLE_UPLINK);

	return uplink < config->n_ports && config->ports[uplink].mac_mode != MAC_MODE_TRANSPARENT;
}

static int check_singles(const struct sluiced_config *config, size_t index, struct err *err)
{
	enum port_role role = config->ports[index].role;
	size_t first = find_role(config, role);

	if (first == index)
		return 0;
	if (role == PORT_ROLE_UPLINK || role == PORT_ROLE_HOST)
		return err_set(err, -EINVAL,
			"ports[%zu].role: ports[%zu] is the %s (there can be one)", index, first,
			role == PORT_ROLE_UPLINK ? "uplink" : "host port");
	if (role == PORT_ROLE_GUEST && sluiced_config_is_pod(config) &&
		config->ports[find_role(config, PORT_ROLE_UPLINK)].mac_mode == MAC_MODE_ADOPT)
		return err_set(err, -EINVAL,
			"ports[%zu].role: ports[%zu] has the pod's MAC address already (more than "
			"one guest needs mac-mode \"substitute\" at the uplink)",
			index, first);
	return 0;
}

/* Every port of a pod has its place in it. */
static int check_place(const struct sluiced_config *config, size_t index, struct err *err)
{
	const struct port_config *port = &config->ports[index];

	if (port->role == PORT_ROLE_HOST && port->n_addresses != 1)
		return err_set(err, -EINVAL,
			"ports[%zu].addresses: has %d entries (a host port has one, that services "
			"are at)",
			index, port->n_addresses);
	if (port->role == PORT_ROLE_HOST && mac_is_zero(&port->mac))
		return err_set(err, -EINVAL,
			"ports[%zu].mac: missing (must be that of the interface which services are "
			"at)",
			index);
	if (!sluiced_config_is_pod(config))
		return 0;
	if (port->role == PORT_ROLE_PEER)
		return err_set(err, -EINVAL,
			"ports[%zu].role: missing (must be \"guest\" or \"host\": the uplink is "
			"not transparent)",
			index);
	if (port->vlan != 0 || port->has_trunks)
		return err_set(err, -EINVAL,
			"ports[%zu].%s: not with this uplink (needs mac-mode \"transparent\")",
			index, port->vlan != 0 ? "vlan" : "trunks");
	return 0;
}

/* The place in a file of the first port that has the address, by the name of its key. */
static const char *find_address(const struct sluiced_config *config, const struct ip_addr *addr,
	size_t n_ports, size_t *where)
{
	for (*where = 0; *where < n_ports; ++*where) {
		const struct port_config *port = &config->ports[*where];

		for (size_t i = 0; i < port->n_addresses; i++)
			if (ip_addr_equal(&port->addresses[i], addr))
				return "addresses";
		for (size_t i = 0; i < port->n_services; i++)
			if (ip_addr_equal(&port->services[i], addr))
				return "services";
	}
	return NULL;
}

static int check_addresses(const struct sluiced_config *config, size_t index, const char *key,
	const struct ip_addr *addr, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		char text[IP_ADDR_TEXT_MAX];
		size_t where;
		const char *other = find_address(config, &addr[i], index, &where);

		if (other)
			return err_set(err, -EINVAL,
				"ports[%zu].%s: \"%s\" is in ports[%zu].%s (must be unique)", index,
				key, ip_addr_format(&addr[i], text), where, other);
	}
	return 0;
}

/* An address is one that the guest has on the network, or one for services. */
static int check_own(const struct port_config *port, size_t index, struct err *err)
{
	char text[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < port->n_services; i++)
		for (size_t k = 0; k < port->n_addresses; k++)
			if (ip_addr_equal(&port->services[i], &port->addresses[k]))
				return err_set(err, -EINVAL,
					"ports[%zu].services: \"%s\" is one of its addresses, too",
					index, ip_addr_format(&port->services[i], text));
	return 0;
}

int sluiced_config_check_roles(const struct sluiced_config *config, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < config->n_ports && ret == 0; i++) {
		const struct port_config *port = &config->ports[i];

		ret = check_singles(config, i, err);
		if (ret == 0)
			ret = check_place(config, i, err);
		if (ret == 0)
			ret = check_own(port, i, err);
		if (ret == 0)
			ret = check_addresses(
				config, i, "addresses", port->addresses, port->n_addresses, err);
		if (ret == 0)
			ret = check_addresses(
				config, i, "services", port->services, port->n_services, err);
	}
	return ret;
}
