/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/pod/tap_link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include "launcher/pod/quiet_link.h"
#include "launcher/pod/rtnl_socket.h"
#include "lib/cleanup.h"
#include "lib/fnv1a.h"

#define DEVICE "/dev/net/tun"

#define PREFIX      "slt-"
#define VM_NAME_LEN (IF_NAMESIZE - sizeof(PREFIX))

void tap_link_name(const char *vm, char *name)
{
	if (strlen(vm) <= VM_NAME_LEN)
		snprintf(name, IF_NAMESIZE, PREFIX "%s", vm);
	else
		snprintf(name, IF_NAMESIZE, PREFIX "%08x", (unsigned)fnv1a_text(vm));
}

static int open_device(struct err *err)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "cannot open " DEVICE "%s",
			errno == ENOENT || errno == EACCES || errno == EPERM
				? " (is it in the container's device list?)"
				: "");
	return fd;
}

int tap_link_check(struct err *err)
{
	cleanup_close int fd = open_device(err);

	return fd < 0 ? fd : 0;
}

/* With the flags that the VMM will open it with. */
static int attach(int fd, const char *name, struct err *err)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) == 0)
		return 0;
	switch (errno) {
	case EPERM:
		return err_set(err, -EPERM, "needs CAP_NET_ADMIN");
	case EBUSY:
		return err_set(err, -EBUSY, "there is one that another VM uses");
	case EINVAL:
		return err_set(err, -EEXIST, "there is an interface of that name that is no TAP");
	}
	return err_errno(err, errno, "cannot make it");
}

static int set_mtu(struct nl_sock *sock, const char *name, unsigned mtu)
{
	struct rtnl_link *link = NULL, *changes = rtnl_link_alloc();
	int ret = changes != NULL ? rtnl_link_get_kernel(sock, 0, name, &link) : -NLE_NOMEM;

	if (ret == 0) {
		rtnl_link_set_mtu(changes, mtu);
		ret = rtnl_link_change(sock, link, changes, 0);
	}
	rtnl_link_put(link);
	rtnl_link_put(changes);
	return ret;
}

static int configure(const char *name, unsigned mtu, struct err *err)
{
	struct nl_sock *sock;
	int ret = rtnl_socket_open(&sock);

	if (ret == 0)
		ret = set_mtu(sock, name, mtu);
	if (ret == 0)
		ret = quiet_link_up(sock, name, ARP_IGNORE_ALL);
	nl_socket_free(sock);
	return ret < 0 ? err_set(err, -EIO, "cannot set it up: %s", nl_geterror(ret)) : 0;
}

int tap_link_open(const char *name, unsigned mtu, struct err *err)
{
	cleanup_close int fd = open_device(err);
	int ret = fd < 0 ? fd : attach(fd, name, err);

	if (ret == 0 && ioctl(fd, TUNSETPERSIST, 0) < 0)
		ret = err_errno(err, errno, "cannot take it over");
	if (ret == 0)
		ret = configure(name, mtu, err);
	return ret < 0 ? err_wrap(err, ret, "TAP %s", name) : steal_fd(&fd);
}

int tap_link_keep(int fd, struct err *err)
{
	if (ioctl(fd, TUNSETPERSIST, 1) < 0)
		return err_errno(err, errno, "cannot keep the TAP");
	return 0;
}
