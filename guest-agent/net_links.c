/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The Ethernet devices: the spec's first interface is the one with the lowest index, and so on.
 * They are told by what they are and not by name, which the kernel gives in the order of its
 * drivers. Devices that software makes of nothing (dummy0, bond0, gretap0) have a kind and are
 * passed over, but for veth, with which the agent is run in a container.
 */

#include "guest-agent/net_parts.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/socket.h>

#include "lib/monotonic.h"

#define KIND_MAX 32
#define ATTEMPTS 100

struct device {
	int ifindex;
	char name[IFNAMSIZ];
	struct mac mac;
	uint32_t mtu;
};

/* Those with the lowest indices, in order. */
struct devices {
	struct device item[MACHINE_NICS_MAX];
	size_t n;
	int loopback;
};

static bool is_ours(const struct ifinfomsg *header, struct nlattr **tb)
{
	static const struct nla_policy policy[IFLA_INFO_MAX + 1] = {
		[IFLA_INFO_KIND] = { .type = NLA_STRING },
	};
	struct nlattr *info[IFLA_INFO_MAX + 1];

	if (header->ifi_type != ARPHRD_ETHER || tb[IFLA_IFNAME] == NULL ||
		tb[IFLA_ADDRESS] == NULL || nla_len(tb[IFLA_ADDRESS]) != sizeof(struct mac))
		return false;
	if (tb[IFLA_LINKINFO] == NULL ||
		nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], policy) < 0 ||
		info[IFLA_INFO_KIND] == NULL)
		return true;
	return strcmp(nla_get_string(info[IFLA_INFO_KIND]), "veth") == 0;
}

static void insert(struct devices *devices, const struct device *device)
{
	size_t i = devices->n;

	if (i == MACHINE_NICS_MAX && devices->item[i - 1].ifindex < device->ifindex)
		return;
	if (i == MACHINE_NICS_MAX)
		i--;
	else
		devices->n++;
	for (; i > 0 && devices->item[i - 1].ifindex > device->ifindex; i--)
		devices->item[i] = devices->item[i - 1];
	devices->item[i] = *device;
}

static int add_device(void *arg, struct nlmsghdr *message)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_IFNAME] = { .type = NLA_STRING, .maxlen = IFNAMSIZ },
		[IFLA_MTU] = { .type = NLA_U32 },
		[IFLA_LINKINFO] = { .type = NLA_NESTED },
	};
	const struct ifinfomsg *header = nlmsg_data(message);
	struct nlattr *tb[IFLA_MAX + 1];
	struct devices *devices = arg;
	struct device device;

	if (nlmsg_parse(message, sizeof(*header), tb, IFLA_MAX, policy) < 0)
		return -EBADMSG;
	if (header->ifi_type == ARPHRD_LOOPBACK)
		devices->loopback = header->ifi_index;
	if (!is_ours(header, tb))
		return 0;
	device = (struct device) { .ifindex = header->ifi_index };
	(void)nla_strlcpy(device.name, tb[IFLA_IFNAME], sizeof(device.name));
	memcpy(&device.mac, nla_data(tb[IFLA_ADDRESS]), sizeof(device.mac));
	device.mtu = tb[IFLA_MTU] != NULL ? nla_get_u32(tb[IFLA_MTU]) : 0;
	insert(devices, &device);
	return 0;
}

static int list_devices(struct nl_sock *sock, struct devices *devices, struct err *err)
{
	int ret = -EAGAIN;

	for (int i = 0; i < ATTEMPTS && ret == -EAGAIN; i++) {
		*devices = (struct devices) { .n = 0 };
		ret = net_netlink_dump(sock, RTM_GETLINK, AF_UNSPEC, add_device, devices, err);
	}
	return ret < 0 ? err_wrap(err, ret, "cannot list the interfaces") : 0;
}

/* --- waiting --------------------------------------------------------------------------------- */

static int ignore(struct nl_msg *msg, void *arg)
{
	return NL_OK;
}

/* Until something happens to an interface, or the time is over. */
static void await_news(struct nl_sock *news, int64_t deadline_ms)
{
	struct pollfd fd = { .fd = nl_socket_get_fd(news), .events = POLLIN };
	int64_t left = deadline_ms - monotonic_ms();

	if (left > 0 && poll(&fd, 1, left < INT_MAX ? (int)left : INT_MAX) > 0)
		(void)nl_recvmsgs_default(news);
}

static int await_devices(struct net_setup *setup, struct nl_sock *news, unsigned wait_ms,
	struct devices *devices, struct err *err)
{
	int64_t deadline_ms = monotonic_ms() + wait_ms;

	nl_socket_modify_cb(news, NL_CB_VALID, NL_CB_CUSTOM, ignore, NULL);
	for (;;) {
		int ret = list_devices(setup->sock, devices, err);

		if (ret < 0 || devices->n >= setup->net->n_nics)
			return ret;
		if (monotonic_ms() >= deadline_ms)
			return err_set(err, -ENODEV,
				"there are %zu Ethernet devices, of %zu (waited %g s)", devices->n,
				setup->net->n_nics, wait_ms / 1000.0);
		await_news(news, deadline_ms);
	}
}

static int find_devices(
	struct net_setup *setup, unsigned wait_ms, struct devices *devices, struct err *err)
{
	struct nl_sock *news = NULL;
	int ret = net_netlink_open(&news, RTNLGRP_LINK, err);

	if (ret == 0)
		ret = await_devices(setup, news, wait_ms, devices, err);
	nl_socket_free(news);
	return ret;
}

/* --- changing -------------------------------------------------------------------------------- */

static struct nl_msg *change_of(int ifindex, unsigned flags, unsigned mask)
{
	struct ifinfomsg header = {
		.ifi_index = ifindex,
		.ifi_flags = flags,
		.ifi_change = mask,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK, 0);

	if (msg == NULL)
		return NULL;
	return net_netlink_filled(msg, nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO));
}

static int set_up(struct net_setup *setup, int ifindex, bool up, struct err *err)
{
	return net_netlink_request(setup->sock, change_of(ifindex, up ? IFF_UP : 0, IFF_UP), err);
}

static int rename_device(struct net_setup *setup, int ifindex, const char *name, struct err *err)
{
	struct nl_msg *msg = change_of(ifindex, 0, 0);

	if (msg != NULL)
		msg = net_netlink_filled(msg, nla_put_string(msg, IFLA_IFNAME, name));
	return net_netlink_request(setup->sock, msg, err);
}

static int set_mac_and_mtu(struct net_setup *setup, const struct device *device,
	const struct machine_nic *nic, struct err *err)
{
	struct nl_msg *msg = change_of(device->ifindex, 0, 0);
	int ret = msg != NULL ? 0 : -ENOMEM;

	if (ret == 0 && nic->has_mac && memcmp(&nic->mac, &device->mac, sizeof(nic->mac)) != 0)
		ret = nla_put(msg, IFLA_ADDRESS, sizeof(nic->mac), &nic->mac);
	if (ret == 0 && nic->mtu != device->mtu)
		ret = nla_put_u32(msg, IFLA_MTU, nic->mtu);
	return net_netlink_request(setup->sock, net_netlink_filled(msg, ret), err);
}

/* Out of each other's way first: two may be called what the other is to be. */
static int rename_all(struct net_setup *setup, const struct devices *devices, struct err *err)
{
	bool differs[MACHINE_NICS_MAX];
	int ret = 0;

	for (size_t i = 0; i < setup->net->n_nics && ret == 0; i++) {
		char name[IFNAMSIZ];

		differs[i] = strcmp(devices->item[i].name, setup->net->nics[i].name) != 0;
		snprintf(name, sizeof(name), "sluice-new%zu", i);
		if (differs[i])
			ret = rename_device(setup, devices->item[i].ifindex, name, err);
		if (ret < 0)
			return err_wrap(err, ret, "interface %s", devices->item[i].name);
	}
	for (size_t i = 0; i < setup->net->n_nics && ret == 0; i++) {
		const char *name = setup->net->nics[i].name;

		if (differs[i])
			ret = rename_device(setup, devices->item[i].ifindex, name, err);
		if (ret < 0)
			return err_wrap(err, ret, "interface %s", name);
	}
	return ret;
}

int net_links_prepare(struct net_setup *setup, unsigned wait_ms, struct err *err)
{
	const struct machine_nic *nics = setup->net->nics;
	struct devices devices;
	int ret = find_devices(setup, wait_ms, &devices, err);

	if (ret < 0)
		return ret;
	setup->loopback = devices.loopback;
	for (size_t i = 0; i < setup->net->n_nics; i++) {
		setup->ifindex[i] = devices.item[i].ifindex;
		ret = set_up(setup, setup->ifindex[i], false, err);
		if (ret < 0)
			return err_wrap(err, ret, "interface %s", devices.item[i].name);
	}
	ret = rename_all(setup, &devices, err);
	for (size_t i = 0; i < setup->net->n_nics && ret == 0; i++) {
		ret = set_mac_and_mtu(setup, &devices.item[i], &nics[i], err);
		if (ret < 0)
			return err_wrap(err, ret, "interface %s", nics[i].name);
	}
	return ret;
}

int net_links_up(struct net_setup *setup, struct err *err)
{
	int ret = set_up(setup, setup->loopback, true, err);

	if (ret < 0)
		return err_wrap(err, ret, "interface lo");
	for (size_t i = 0; i < setup->net->n_nics; i++) {
		ret = set_up(setup, setup->ifindex[i], true, err);
		if (ret < 0)
			return err_wrap(err, ret, "interface %s", setup->net->nics[i].name);
	}
	return 0;
}

int net_links_index(const struct net_setup *setup, const char *name)
{
	for (size_t i = 0; i < setup->net->n_nics; i++)
		if (strcmp(setup->net->nics[i].name, name) == 0)
			return setup->ifindex[i];
	return strcmp(name, "lo") == 0 ? setup->loopback : 0;
}
