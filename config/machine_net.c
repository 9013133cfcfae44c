/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/machine_net.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/json_items.h"
#include "config/machine_prefix.h"
#include "config/machine_route.h"
#include "config/net_words.h"
#include "config/settings.h"

#define LOOPBACK "lo"

const struct setting_word machine_families[] = {
	{ "inet", AF_INET },
	{ "inet6", AF_INET6 },
	{ NULL, 0 },
};

/* --- interfaces ------------------------------------------------------------------------------ */

static const struct setting nic_rows[] = {
	{ "ifname", SETTING_STRING, SETTING_FIELD(struct machine_nic, name), .required = true,
		.help = "what it is to be called" },
	{ "address", SETTING_MAC, SETTING_FIELD(struct machine_nic, mac),
		.help = "the MAC address it is to have" },
	{ "mtu", SETTING_U32, SETTING_FIELD(struct machine_nic, mtu), .min = 68, .max = 65535,
		.required = true, .help = "bytes of the largest packet" },
};

static const struct settings nic_table = SETTINGS(nic_rows, NULL);

/* As the kernel's dev_valid_name(); it expands a %. */
static bool is_interface_name(const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, LOOPBACK) == 0)
		return false;
	for (; *name != '\0'; name++)
		if (isspace((unsigned char)*name) || strchr("/:%", *name) != NULL)
			return false;
	return true;
}

static int decode_nic(const json_t *object, const char *at, void *item, struct err *err)
{
	struct machine_nic *nic = item;
	int ret = settings_from_json(&nic_table, object, at, 0, "", nic, NULL, err);

	if (ret < 0)
		return ret;
	nic->has_mac = !mac_is_zero(&nic->mac);
	if (!is_interface_name(nic->name))
		return err_set(err, -EINVAL,
			"%sifname: \"%s\" is no name for an Ethernet interface", at, nic->name);
	return 0;
}

static json_t *encode_nic(const void *item)
{
	struct machine_nic nic = *(const struct machine_nic *)item;

	if (!nic.has_mac)
		nic.mac = (struct mac) { 0 };
	return settings_to_json(&nic_table, 0, &nic);
}

static const struct json_items nics = { "interfaces", MACHINE_NICS_MAX, sizeof(struct machine_nic),
	decode_nic, encode_nic };

/* --- addresses ------------------------------------------------------------------------------- */

#define FIELD(member) SETTING_FIELD(struct machine_addr, member)

static const struct setting addr_rows[] = {
	{ "dev", SETTING_STRING, FIELD(dev), .required = true, .help = "whose" },
	{ "family", SETTING_ENUM, FIELD(family), .words = machine_families, .required = true,
		.help = "of the address" },
	{ "local", SETTING_IP, FIELD(local), .required = true, .help = "the address" },
	{ "prefixlen", SETTING_U32, FIELD(prefix_len), .max = 128, .required = true,
		.help = "bits of it that are the network's" },
	{ "address", SETTING_IP, FIELD(peer), .help = "of the other end of a pair" },
	{ "broadcast", SETTING_IP, FIELD(broadcast), .help = "of all in the network" },
	{ "scope", SETTING_U32, FIELD(scope), .max = UINT8_MAX, .words = net_scopes,
		.preset = "global", .help = "where it is good" },
	{ "noprefixroute", SETTING_BOOL, FIELD(no_prefix_route),
		.help = "it brings no route to its network" },
};

#undef FIELD

static const struct settings addr_table = SETTINGS(addr_rows, NULL);

static bool is_of(int family, const struct ip_addr *addr)
{
	return ip_addr_is_unspecified(addr) || machine_family_of(addr) == family;
}

static int decode_addr(const json_t *object, const char *at, void *item, struct err *err)
{
	struct machine_addr *addr = item;
	const char *key = NULL;
	int ret;

	settings_apply_defaults(&addr_table, 0, addr);
	ret = settings_from_json(&addr_table, object, at, 0, "", addr, NULL, err);
	if (ret < 0)
		return ret;
	if (!is_of(addr->family, &addr->local))
		key = "local";
	else if (!is_of(addr->family, &addr->peer))
		key = "address";
	else if (!is_of(addr->family, &addr->broadcast))
		key = "broadcast";
	if (key != NULL)
		return err_set(err, -EINVAL, "%s%s: is not of its family", at, key);
	if (addr->prefix_len > machine_prefix_len_max(addr->family))
		return err_set(err, -ERANGE, "%sprefixlen: %u is out of range (0 to %u)", at,
			addr->prefix_len, machine_prefix_len_max(addr->family));
	return 0;
}

static json_t *encode_addr(const void *item)
{
	return settings_to_json(&addr_table, 0, item);
}

static const struct json_items addrs = { "addresses", MACHINE_NET_ITEMS_MAX,
	sizeof(struct machine_addr), decode_addr, encode_addr };

/* --- neighbours ------------------------------------------------------------------------------ */

static const struct setting neighbour_rows[] = {
	{ "dst", SETTING_IP, SETTING_FIELD(struct machine_neighbour, dst), .required = true,
		.help = "who" },
	{ "dev", SETTING_STRING, SETTING_FIELD(struct machine_neighbour, dev), .required = true,
		.help = "on which interface" },
	{ "lladdr", SETTING_MAC, SETTING_FIELD(struct machine_neighbour, mac), .required = true,
		.help = "the MAC address" },
};

static const struct settings neighbour_table = SETTINGS(neighbour_rows, NULL);

static int decode_neighbour(const json_t *object, const char *at, void *item, struct err *err)
{
	return settings_from_json(&neighbour_table, object, at, 0, "", item, NULL, err);
}

static json_t *encode_neighbour(const void *item)
{
	return settings_to_json(&neighbour_table, 0, item);
}

static const struct json_items neighbours = { "neighbours", MACHINE_NET_ITEMS_MAX,
	sizeof(struct machine_neighbour), decode_neighbour, encode_neighbour };

/* --- all of it ------------------------------------------------------------------------------- */

static const struct setting rows[] = {
	{ "interfaces", SETTING_ARRAY, .required = true, .help = "Ethernet devices" },
	{ "addresses", SETTING_ARRAY, .required = true, .help = "of the interfaces" },
	{ "routes", SETTING_ARRAY, .required = true, .help = "in the order to add them" },
	{ "rules", SETTING_ARRAY, .required = true, .help = "of policy routing" },
	{ "neighbours", SETTING_ARRAY, .required = true, .help = "permanent ones" },
};

static const struct settings table = SETTINGS(rows, NULL);

static bool exists(const struct machine_net *net, const char *dev)
{
	for (size_t i = 0; i < net->n_nics; i++)
		if (strcmp(net->nics[i].name, dev) == 0)
			return true;
	return strcmp(dev, LOOPBACK) == 0;
}

static int no_such(const char *at, const char *key, size_t i, const char *dev, struct err *err)
{
	return err_set(
		err, -EINVAL, "%s%s[%zu]: \"%s\" is none of the interfaces", at, key, i, dev);
}

static int check_nics(const struct machine_net *net, const char *at, struct err *err)
{
	for (size_t i = 0; i < net->n_nics; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(net->nics[i].name, net->nics[j].name) == 0)
				return err_set(err, -EINVAL,
					"%sinterfaces[%zu].ifname: \"%s\" is there twice", at, i,
					net->nics[i].name);
	return 0;
}

/* Rules may name interfaces that do not exist; the kernel then waits for them. */
static int check_devs(const struct machine_net *net, const char *at, struct err *err)
{
	for (size_t i = 0; i < net->n_addrs; i++)
		if (!exists(net, net->addrs[i].dev))
			return no_such(at, "addresses", i, net->addrs[i].dev, err);
	for (size_t i = 0; i < net->n_routes; i++)
		for (size_t j = 0; j < net->routes[i].n_nexthops; j++) {
			const char *dev = net->routes[i].nexthops[j].dev;

			if (dev[0] != '\0' && !exists(net, dev))
				return no_such(at, "routes", i, dev, err);
		}
	for (size_t i = 0; i < net->n_neighbours; i++)
		if (!exists(net, net->neighbours[i].dev))
			return no_such(at, "neighbours", i, net->neighbours[i].dev, err);
	return 0;
}

static int take_nics(const json_t *object, const char *at, struct machine_net *net, struct err *err)
{
	void *items = NULL;
	int ret = json_items_decode(&nics, object, at, &items, &net->n_nics, err);

	if (ret == 0)
		memcpy(net->nics, items, net->n_nics * sizeof(*net->nics));
	free(items);
	return ret < 0 ? ret : check_nics(net, at, err);
}

static int decode(const json_t *object, const char *at, struct machine_net *net, struct err *err)
{
	const struct {
		const struct json_items *kind;
		void *items;
		size_t *n;
	} lists[] = {
		{ &addrs, &net->addrs, &net->n_addrs },
		{ &machine_routes, &net->routes, &net->n_routes },
		{ &machine_rules, &net->rules, &net->n_rules },
		{ &neighbours, &net->neighbours, &net->n_neighbours },
	};
	int ret = settings_from_json(&table, object, at, 0, "", net, NULL, err);

	if (ret == 0)
		ret = take_nics(object, at, net, err);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && ret == 0; i++)
		ret = json_items_decode(lists[i].kind, object, at, lists[i].items, lists[i].n, err);
	return ret < 0 ? ret : check_devs(net, at, err);
}

int machine_net_decode(
	const json_t *object, const char *at, struct machine_net *net, struct err *err)
{
	int ret;

	*net = (struct machine_net) { .n_nics = 0 };
	ret = decode(object, at, net, err);
	if (ret < 0)
		machine_net_free(net);
	return ret;
}

json_t *machine_net_encode(const struct machine_net *net)
{
	json_t *object = json_object();

	if (json_items_put(object, &nics, net->nics, net->n_nics) &&
		json_items_put(object, &addrs, net->addrs, net->n_addrs) &&
		json_items_put(object, &machine_routes, net->routes, net->n_routes) &&
		json_items_put(object, &machine_rules, net->rules, net->n_rules) &&
		json_items_put(object, &neighbours, net->neighbours, net->n_neighbours))
		return object;
	json_decref(object);
	return NULL;
}

void machine_net_free(struct machine_net *net)
{
	for (size_t i = 0; i < net->n_routes; i++)
		machine_route_free(&net->routes[i]);
	free(net->addrs);
	free(net->routes);
	free(net->rules);
	free(net->neighbours);
	*net = (struct machine_net) { .n_nics = 0 };
}
