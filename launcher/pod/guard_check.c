/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/guard_check.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include "launcher/pod/guard_rules.h"
#include "launcher/pod/rtnl_socket.h"
#include "lib/ip_addr.h"

/* --- the initial network namespace ----------------------------------------------------------- */

/*
 * How to know it. Not by /proc/1/ns/net: in a container process 1 is the container's own. Not by
 * the namespace's inode: only kernels from 6.18 on give the initial one a fixed number (nsfs.h,
 * NET_NS_INIT_INO). Not by its owner, which of a container's is often the initial user namespace,
 * nor by hardware, which can be moved. But some sysctls are of the machine and not of a namespace,
 * and the kernel shows them in the initial network namespace alone, whatever process and mount
 * namespace one looks from: /proc/sys/net is that of the reader's network namespace, and
 * netdev_max_backlog is registered for init_net (net/core/sysctl_net_core.c, since 2.6.25).
 * somaxconn, which every namespace has, tells "is not there" from "cannot be seen".
 */
int guard_namespace_is_initial(const char *proc)
{
	char path[256];
	int dir, ret = 0;

	snprintf(path, sizeof(path), "%s/sys/net/core", proc);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	if (faccessat(dir, "netdev_max_backlog", F_OK, 0) == 0)
		ret = 1;
	else if (errno != ENOENT || faccessat(dir, "somaxconn", F_OK, 0) < 0)
		ret = -errno;
	close(dir);
	return ret;
}

int guard_check_namespace(struct err *err)
{
	int ret = guard_namespace_is_initial("/proc");

	if (ret == 0)
		return 0;
	if (ret < 0)
		return err_set(err, -EPERM,
			"cannot tell whether this is the machine's own network namespace "
			"(/proc/sys/net/core: %s); --lab goes on in any",
			strerror(-ret));
	return err_set(err, -EPERM,
		"this is the machine's own network namespace, not a pod's: a VM that takes it over "
		"would cut the machine off (--lab goes on all the same)");
}

/* --- the kernel's own ports ------------------------------------------------------------------ */

int guard_check_ephemeral_ports(struct err *err)
{
	static const char path[] = "/proc/sys/net/ipv4/ip_local_port_range";
	unsigned first = 0, last = 0;
	FILE *file = fopen(path, "re");
	int n;

	if (file == NULL)
		return err_errno(err, errno, "cannot read %s", path);
	n = fscanf(file, "%u %u", &first, &last);
	fclose(file);
	if (n != 2)
		return err_set(err, -EINVAL, "cannot make sense of %s", path);
	if (first < GUARD_EPHEMERAL_FIRST || last > GUARD_EPHEMERAL_LAST)
		return err_set(err, -EINVAL,
			"the pod's kernel takes ports %u to %u for its own connections, which are "
			"the guest's in shared mode: set the pod's safe sysctl "
			"net.ipv4.ip_local_port_range to \"%d %d\"",
			first, last, GUARD_EPHEMERAL_FIRST, GUARD_EPHEMERAL_LAST);
	return 0;
}

/* --- the interface --------------------------------------------------------------------------- */

struct search {
	int ifindex;
	bool found;
};

/*
 * fe80:: does not count: the kernel gives one to every interface that is up, in a pod without a
 * network of its own too.
 */
static void on_address(struct nl_object *object, void *arg)
{
	struct rtnl_addr *addr = (struct rtnl_addr *)object;
	struct nl_addr *local = rtnl_addr_get_local(addr);
	struct search *search = arg;
	struct ip_addr a;

	if (rtnl_addr_get_ifindex(addr) != search->ifindex || local == NULL)
		return;
	if (rtnl_addr_get_family(addr) == AF_INET6) {
		a = ip_addr_v6(nl_addr_get_binary_addr(local));
		search->found |= !ip_addr_is_link_local(&a);
	} else {
		search->found |= rtnl_addr_get_family(addr) == AF_INET;
	}
}

static int look(struct nl_sock *sock, const char *name, struct guard_interface *found)
{
	struct search search = { 0 };
	struct rtnl_link *link = NULL;
	struct nl_cache *cache = NULL;
	struct nl_addr *mac;
	int ret = rtnl_link_get_kernel(sock, 0, name, &link);

	if (ret < 0)
		return ret;
	mac = rtnl_link_get_addr(link);
	if (mac != NULL && nl_addr_get_len(mac) == sizeof(found->mac))
		memcpy(&found->mac, nl_addr_get_binary_addr(mac), sizeof(found->mac));
	found->mtu = rtnl_link_get_mtu(link);
	found->ifindex = search.ifindex = rtnl_link_get_ifindex(link);
	rtnl_link_put(link);

	ret = rtnl_addr_alloc_cache(sock, &cache);
	if (ret < 0)
		return ret;
	nl_cache_foreach(cache, on_address, &search);
	nl_cache_free(cache);
	found->has_address = search.found;
	return 0;
}

int guard_look_at_interface(const char *name, struct guard_interface *found, struct err *err)
{
	struct nl_sock *sock;
	int ret = rtnl_socket_open(&sock);

	*found = (struct guard_interface) { 0 };
	if (ret == 0)
		ret = look(sock, name, found);
	nl_socket_free(sock);
	if (ret == -NLE_OBJ_NOTFOUND || ret == -NLE_NODEV)
		return err_set(err, -ENODEV, "there is no interface \"%s\"", name);
	if (ret < 0)
		return err_set(err, -EIO, "cannot look at \"%s\": %s", name, nl_geterror(ret));
	return 0;
}
