/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/port_config.h"

#include <errno.h>
#include <string.h>

#include "config/l4_ports.h"
#include "config/setting_allowed.h"
#include "config/settings.h"
#include "config/settings_man.h"

#define FIELD(member) SETTING_FIELD(struct port_config, member)
#define PACKET        (1U << PORT_KIND_PACKET)
#define VHOST_USER    (1U << PORT_KIND_VHOST_USER)
#define ETHDEV        (1U << PORT_KIND_ETHDEV)

static const struct setting_word kinds[] = {
	{ "packet", PORT_KIND_PACKET },
	{ "vhost-user", PORT_KIND_VHOST_USER },
	{ "ethdev", PORT_KIND_ETHDEV },
	{ NULL },
};

static const struct setting_word roles[] = {
	{ "peer", PORT_ROLE_PEER },
	{ "uplink", PORT_ROLE_UPLINK },
	{ "guest", PORT_ROLE_GUEST },
	{ "host", PORT_ROLE_HOST },
	{ NULL },
};

static const struct setting_word mac_modes[] = {
	{ "adopt", MAC_MODE_ADOPT },
	{ "substitute", MAC_MODE_SUBSTITUTE },
	{ "transparent", MAC_MODE_TRANSPARENT },
	{ NULL },
};

static const struct setting_word neighbour_modes[] = {
	{ "auto", NEIGHBOURS_AUTO },
	{ "static", NEIGHBOURS_STATIC },
	{ "off", NEIGHBOURS_OFF },
	{ NULL },
};

static const struct setting_word anti_spoof_words[] = {
	{ "auto", ANTI_SPOOF_AUTO },
	{ "on", ANTI_SPOOF_ON },
	{ "off", ANTI_SPOOF_OFF },
	{ NULL },
};

static const struct setting rows[] = {
	{ "name", SETTING_NAME, FIELD(name), .unit = "NAME", .required = true,
		.help = "what the port is called" },
	{ "kind", SETTING_ENUM, FIELD(kind), .unit = "KIND", .words = kinds, .required = true,
		.help = "what is behind it: a netdev, a virtual machine or a device of DPDK" },
	{ "interface", SETTING_STRING, FIELD(interface), .unit = "NAME", .groups = PACKET,
		.required = true, .help = "packet: the netdev" },
	{ "socket", SETTING_PATH, FIELD(socket), .unit = "PATH", .groups = VHOST_USER,
		.required = true,
		.help = "vhost-user: where the VMM is awaited or, with client, listens" },
	{ "client", SETTING_BOOL, FIELD(client), .groups = VHOST_USER, .preset = "false",
		.help = "vhost-user: connect to the VMM's socket instead of listening on it" },
	{ "devargs", SETTING_STRING, FIELD(devargs), .unit = "DEVICE,KEY=VALUE,...",
		.groups = ETHDEV, .required = true,
		.help = "ethdev: DPDK's name of the device and its arguments, such as "
			"net_af_packet0,iface=eth0" },
	{ "queues", SETTING_U32, FIELD(queues), .unit = "N", .preset = "1", .min = 1,
		.max = QUEUES_MAX,
		.help = "queues in each direction: offered to the VMM, or opened" },
	{ "promiscuous", SETTING_BOOL, FIELD(promiscuous), .groups = PACKET, .preset = "false",
		.help = "packet: have the interface accept frames to any address, while sluiced "
			"runs; "
			"for a physical interface and guests with addresses of their own" },
	{ "mac", SETTING_MAC, FIELD(mac), .unit = "MAC",
		.help = "vhost-user: address told to the guest. Of an uplink: the pod's, if not "
			"that of the interface. Of a guest by another kind: what it has been "
			"given. Of a host port: that of the host's end" },
	{ "mtu", SETTING_U32, FIELD(mtu), .unit = "N", .groups = VHOST_USER | ETHDEV, .min = 68,
		.max = 65535,
		.help = "vhost-user: MTU told to the guest. ethdev: longer frames are "
			"super-frames; the device's own if not given" },
	{ "csum", SETTING_BOOL, FIELD(offload_csum), .groups = VHOST_USER, .preset = "true",
		.help = "vhost-user: offer checksum offload, both directions" },
	{ "tso", SETTING_BOOL, FIELD(offload_tso), .groups = VHOST_USER, .preset = "true",
		.help = "vhost-user: offer TCP segmentation offload, both directions; needs csum" },
	{ "uso", SETTING_BOOL, FIELD(offload_uso), .groups = PACKET | VHOST_USER, .preset = "true",
		.help = "vhost-user: offer UDP segmentation offload, both directions; needs csum. "
			"packet: leave UDP super-frames to the kernel, if it can (Linux 6.2)" },
	{ "mergeable", SETTING_BOOL, FIELD(mergeable), .groups = VHOST_USER, .preset = "true",
		.help = "vhost-user: offer mergeable receive buffers" },
	{ "indirect", SETTING_BOOL, FIELD(indirect), .groups = VHOST_USER, .preset = "true",
		.help = "vhost-user: offer indirect descriptors" },
	{ "event-idx", SETTING_BOOL, FIELD(event_idx), .groups = VHOST_USER, .preset = "true",
		.help = "vhost-user: offer notification by event index" },
	{ "vlan", SETTING_U32, FIELD(vlan), .unit = "N", .min = 1, .max = VLAN_ID_MAX,
		.help = "the VLAN of untagged frames. Alone, tagged ones are refused (an access "
			"port); with neither vlan nor trunks, frames cross as they are" },
	{ "trunks", SETTING_SET, SETTING_SET_FIELD(struct port_config, trunks, has_trunks),
		.unit = "N,N-N,...", .min = 1, .max = VLAN_ID_MAX,
		.help = "the VLANs whose tagged frames cross. Alone, untagged ones are refused; "
			"with vlan, those cross too (a trunk with a native VLAN)" },
	{ "mac-limit", SETTING_U32, FIELD(mac_limit), .unit = "N", .preset = "0", .min = 0,
		.max = 1048576,
		.help = "addresses that may be learned at this port; 0: as many as fit" },
	{ "workers", SETTING_LIST, SETTING_LIST_FIELD(struct port_config, workers, n_workers),
		.unit = "N,N,...", .min = 0, .max = WORKERS_MAX - 1,
		.help = "the workers that poll its queues: the first of these for queue 0, and so "
			"on, over again where there are more queues; none: the switch chooses" },
	/* No presets: zero is the default, and keys of another role are not written to a file. */
	{ "role", SETTING_ENUM, FIELD(role), .unit = "ROLE", .words = roles,
		.help = "peer (the default): a plain port. uplink: the pod's network; guest: a "
			"machine that has the pod's addresses; host: services of the pod, for its "
			"guests alone" },
	{ "mac-mode", SETTING_ENUM, FIELD(mac_mode), .unit = "MODE", .words = mac_modes,
		.help = "uplink: how guests appear there. adopt (the default): the one guest has "
			"the pod's MAC address; substitute: the switch puts the pod's in place of "
			"theirs; transparent: as they are" },
	{ "neighbours", SETTING_ENUM, FIELD(neighbours), .unit = "MODE", .words = neighbour_modes,
		.help = "uplink: the gateways and stations that ARP and neighbour solicitations "
			"are answered for. auto (the default): as the kernel knows and the network "
			"says; static: as the kernel's permanent entries and the configuration "
			"say; off: none" },
	{ "kernel-ports", SETTING_STRING, FIELD(kernel_ports), .unit = "tcp/N,udp/N-N,...",
		.groups = PACKET,
		.help = "uplink: the pod's kernel shares its address with the guest, and keeps "
			"these ports and all from 61000; the guest has everything else" },
	{ "addresses", SETTING_ADDRS,
		SETTING_ADDRS_FIELD(struct port_config, addresses, n_addresses),
		.unit = "ADDRESS,...",
		.help = "guest: the IP addresses it has. host: the one that services are at" },
	{ "services", SETTING_ADDRS, SETTING_ADDRS_FIELD(struct port_config, services, n_services),
		.unit = "ADDRESS,...",
		.help = "guest: the addresses it uses towards the host port, and nowhere else" },
	{ "anti-spoof", SETTING_ENUM, FIELD(anti_spoof), .unit = "WHEN", .words = anti_spoof_words,
		.help = "guest: drop what has an address that is not its own, MAC or IP. auto (the "
			"default): unless the uplink is transparent" },
	{ "binding-limit", SETTING_U32, FIELD(binding_limit), .unit = "N", .min = 0, .max = 1024,
		.help = "guest: addresses that are taken for its own because it uses them, "
			"besides those it is given here; none if not given" },
	{ "point-to-point", SETTING_BOOL, FIELD(point_to_point),
		.help = "guest: it has its address as a /31, and the other one of the pair stands "
			"for the gateway" },
};

static const struct settings table = SETTINGS(rows, NULL);

static bool was_given(uint64_t given, const char *name)
{
	return given >> (settings_find(&table, name) - rows) & 1;
}

/* Keys that only ports of one role have. */
static const struct {
	const char *key;
	enum port_role role, other; /* the same, or another role that has it */
} role_keys[] = {
	{ "mac-mode", PORT_ROLE_UPLINK, PORT_ROLE_UPLINK },
	{ "neighbours", PORT_ROLE_UPLINK, PORT_ROLE_UPLINK },
	{ "kernel-ports", PORT_ROLE_UPLINK, PORT_ROLE_UPLINK },
	{ "addresses", PORT_ROLE_GUEST, PORT_ROLE_HOST },
	{ "services", PORT_ROLE_GUEST, PORT_ROLE_GUEST },
	{ "anti-spoof", PORT_ROLE_GUEST, PORT_ROLE_GUEST },
	{ "binding-limit", PORT_ROLE_GUEST, PORT_ROLE_GUEST },
	{ "point-to-point", PORT_ROLE_GUEST, PORT_ROLE_GUEST },
};

/* Refuses keys of another role; those that a port had in another role are not set any more. */
static int settle_role(struct port_config *port, const char *at, uint64_t given, struct err *err)
{
	for (size_t i = 0; i < sizeof(role_keys) / sizeof(role_keys[0]); i++) {
		const char *key = role_keys[i].key;

		if (port->role == role_keys[i].role || port->role == role_keys[i].other)
			continue;
		if (was_given(given, key))
			return err_set(err, -EINVAL, "%s%s: only for role \"%s\" (it is \"%s\")",
				at, key, roles[role_keys[i].role].name, roles[port->role].name);
		setting_reset(settings_find(&table, key), port);
	}
	return 0;
}

/* The MAC address of a kind or role that has none. */
static int settle_mac(struct port_config *port, const char *at, uint64_t given, struct err *err)
{
	if (port->kind == PORT_KIND_VHOST_USER || port->role != PORT_ROLE_PEER)
		return 0;
	if (was_given(given, "mac"))
		return err_set(err, -EINVAL,
			"%smac: only for kind \"vhost-user\" or role \"uplink\", \"guest\" or "
			"\"host\"",
			at);
	memset(&port->mac, 0, sizeof(port->mac));
	return 0;
}

/* TSO and USO leave a checksum to whoever takes the frame: without csum the defaults follow it, an
 * explicit true is a contradiction. */
static int settle_offloads(
	struct port_config *port, const char *at, uint64_t given, struct err *err)
{
	struct {
		const char *name;
		bool *value;
	} const followers[] = { { "tso", &port->offload_tso }, { "uso", &port->offload_uso } };

	if (port->kind != PORT_KIND_VHOST_USER || port->offload_csum)
		return 0;
	for (size_t i = 0; i < sizeof(followers) / sizeof(followers[0]); i++) {
		if (*followers[i].value && was_given(given, followers[i].name))
			return err_set(err, -EINVAL, "%s%s: true needs csum, which is false", at,
				followers[i].name);
		*followers[i].value = false;
	}
	return 0;
}

static int check_kernel_ports(const struct port_config *port, const char *at, struct err *err)
{
	struct l4_ports ports;
	int ret =
		port->kernel_ports[0] != '\0' ? l4_ports_parse(port->kernel_ports, &ports, err) : 0;

	return ret < 0 ? err_wrap(err, ret, "%skernel-ports", at) : 0;
}

static int settle(struct port_config *port, const char *at, uint64_t given, struct err *err)
{
	int ret = settle_offloads(port, at, given, err);

	if (ret == 0)
		ret = settle_role(port, at, given, err);
	if (ret == 0)
		ret = settle_mac(port, at, given, err);
	return ret == 0 ? check_kernel_ports(port, at, err) : ret;
}

/* With csum back, what csum=false took along is by default there again. */
static void follow_csum(struct port_config *port, uint64_t given)
{
	port->offload_tso |= !was_given(given, "tso");
	port->offload_uso |= !was_given(given, "uso");
}

/* The kind comes first: it says which other keys there may be. */
static int decode_kind(
	const json_t *object, const char *at, struct port_config *port, struct err *err)
{
	const struct setting *row = settings_find(&table, "kind");
	const json_t *value = json_object_get(object, row->name);
	char allowed[64];
	int ret;

	if (value == NULL)
		return err_set(err, -EINVAL, "%skind: missing (must be %s)", at,
			setting_allowed(row, allowed, sizeof(allowed)));
	ret = setting_set_json(row, value, port, err);
	return ret < 0 ? err_wrap(err, ret, "%skind", at) : 0;
}

static const char *const kind_names[] = {
	[PORT_KIND_PACKET] = "kind \"packet\"",
	[PORT_KIND_VHOST_USER] = "kind \"vhost-user\"",
	[PORT_KIND_ETHDEV] = "kind \"ethdev\"",
};

static int check_object(const json_t *object, const char *at, struct err *err)
{
	int len = at[0] != '\0' ? (int)strlen(at) - 1 : 0;

	if (json_is_object(object))
		return 0;
	return err_set(
		err, -EINVAL, "%.*s%smust be an object ({ ... })", len, at, len > 0 ? ": " : "");
}

int port_config_decode(
	struct port_config *port, const json_t *object, const char *at, struct err *err)
{
	uint64_t given = 0;
	int ret = check_object(object, at, err);

	memset(port, 0, sizeof(*port));
	if (ret == 0)
		ret = decode_kind(object, at, port, err);
	if (ret < 0)
		return ret;
	settings_apply_defaults(&table, 1U << port->kind, port);
	ret = settings_from_json(
		&table, object, at, 1U << port->kind, kind_names[port->kind], port, &given, err);
	return ret < 0 ? ret : settle(port, at, given, err);
}

/* What is said about the port's name or kind must be what it is. */
static int check_same(const struct port_config *port, const char *key, const json_t *changes,
	const char *at, struct err *err)
{
	const json_t *value = json_object_get(changes, key);
	json_t *own = setting_get_json(settings_find(&table, key), port);
	int ret = 0;

	if (value != NULL && !json_equal(value, own))
		ret = err_set(err, -EINVAL, "%s%s: cannot be changed (it is \"%s\")", at, key,
			json_string_value(own));
	json_decref(own);
	return ret;
}

int port_config_change(
	struct port_config *port, const json_t *changes, const char *at, struct err *err)
{
	struct port_config changed;
	uint64_t given;
	int ret = check_object(changes, at, err);

	if (ret == 0)
		ret = check_same(port, "name", changes, at, err);
	if (ret == 0)
		ret = check_same(port, "kind", changes, at, err);
	if (ret < 0)
		return ret;
	memcpy(&changed, port, sizeof(changed));
	ret = settings_change_json(&table, changes, at, 1U << port->kind, kind_names[port->kind],
		&changed, &given, err);
	if (ret == 0 && changed.offload_csum && !port->offload_csum)
		follow_csum(&changed, given);
	if (ret == 0)
		ret = settle(&changed, at, given, err);
	if (ret == 0)
		memcpy(port, &changed, sizeof(changed));
	return ret;
}

const char *port_config_socket(const struct port_config *port, size_t *len)
{
	static const char *const keys[] = { ",iface=/", ",path=/", ",socket=/" };

	*len = strlen(port->socket);
	for (size_t i = 0; *len == 0 && i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *at = strstr(port->devargs, keys[i]);

		if (at == NULL)
			continue;
		at += strlen(keys[i]) - 1;
		*len = strcspn(at, ",");
		return at;
	}
	return port->socket;
}

json_t *port_config_encode(const struct port_config *port)
{
	return settings_to_json(&table, 1U << port->kind, port);
}

json_t *port_config_value(const char *key, const char *text)
{
	const struct setting *row = settings_find(&table, key);

	return row != NULL ? setting_text_to_json(row, text) : json_string(text);
}

void port_config_print_help(FILE *out)
{
	settings_print_help(&table, "", out);
}

void port_config_print_man(FILE *out)
{
	settings_man(&table, 0, "", out);
}
