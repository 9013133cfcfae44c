/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/packet.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "lib/cleanup.h"
#include "switch/port/packet_port.h"

/* A burst of super-frames fits, so that a scheduling gap of the worker loses nothing. */
#define SOCKET_BUFFER (8 << 20)

/* UDP segmentation through PACKET_VNET_HDR: Linux 6.2. */
static bool kernel_takes_udp_l4(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 2);
}

static int set_flag(int fd, int option, const char *name, struct err *err)
{
	int one = 1;

	if (setsockopt(fd, SOL_PACKET, option, &one, sizeof(one)) < 0)
		return err_errno(err, errno, "cannot set %s on the packet socket", name);
	return 0;
}

/* Beyond the system's limits where we may (CAP_NET_ADMIN), up to them otherwise. */
static void set_buffer(int fd, int force, int plain)
{
	int size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

/* The kernel undoes this when the socket closes, however we end. */
static int set_promiscuous(int fd, int ifindex, struct err *err)
{
	struct packet_mreq mreq = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC };

	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) < 0)
		return err_errno(err, errno, "cannot make the interface promiscuous");
	return 0;
}

/* Every option precedes bind(): no frame is seen without its offload header and auxiliary data. */
static int open_socket(int ifindex, struct err *err)
{
	cleanup_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};
	int ret;

	if (fd < 0)
		return err_errno(err, errno, "cannot open a packet socket%s",
			errno == EPERM ? " (CAP_NET_RAW is needed)" : "");
	ret = set_flag(fd, PACKET_VNET_HDR, "PACKET_VNET_HDR", err);
	if (ret == 0)
		ret = set_flag(fd, PACKET_AUXDATA, "PACKET_AUXDATA", err);
	if (ret == 0)
		ret = set_flag(fd, PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING", err);
	if (ret < 0)
		return ret;
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, errno, "cannot bind the packet socket");
	return steal_fd(&fd);
}

/* --- status ---------------------------------------------------------------------------------- */

struct link {
	bool exists;
	bool up;
	bool running; /* carrier, and the other end of a veth is up */
	int mtu;
	struct mac mac;
};

static struct link read_link(const struct packet_port *pp)
{
	struct link link = { 0 };
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", pp->config.interface);
	if (ioctl(pp->fd, SIOCGIFFLAGS, &ifr) < 0)
		return link;
	link.exists = true;
	link.up = ifr.ifr_flags & IFF_UP;
	link.running = ifr.ifr_flags & IFF_RUNNING;
	if (ioctl(pp->fd, SIOCGIFMTU, &ifr) == 0)
		link.mtu = ifr.ifr_mtu;
	if (ioctl(pp->fd, SIOCGIFHWADDR, &ifr) == 0)
		memcpy(link.mac.byte, ifr.ifr_hwaddr.sa_data, sizeof(link.mac.byte));
	return link;
}

static void add_reason(const struct packet_port *pp, const struct link *link, json_t *out)
{
	char hint[96];
	const char *reason;

	if (!link->exists) {
		reason = "the interface does not exist";
		snprintf(hint, sizeof(hint), "create %s in this network namespace and restart",
			pp->config.interface);
	} else if (!link->up) {
		reason = "the interface is administratively down";
		snprintf(hint, sizeof(hint), "ip link set %s up", pp->config.interface);
	} else {
		reason = "the interface has no carrier";
		snprintf(hint, sizeof(hint), "check the cable, or the other end of the veth pair");
	}
	json_object_set_new(out, "reason", json_string(reason));
	json_object_set_new(out, "hint", json_string(hint));
}

static void packet_status(struct port *p, json_t *out)
{
	struct packet_port *pp = packet_port(p);
	struct link link = read_link(pp);
	bool up = link.up && link.running;
	char mac[MAC_TEXT_MAX];

	json_object_set_new(out, "operstate", json_string(up ? "up" : "down"));
	if (!up)
		add_reason(pp, &link, out);
	json_object_set_new(out, "address",
		link.exists ? json_string(mac_format(&link.mac, mac)) : json_null());
	json_object_set_new(out, "mtu", link.mtu ? json_integer(link.mtu) : json_null());
	json_object_set_new(out, "interface", json_string(pp->config.interface));
	json_object_set_new(out, "mode", json_string(pp->bulk ? "bulk" : "small"));
}

/* Frames the kernel could not queue, or could not describe in an offload header. */
static void packet_stats(struct port *p, json_t *out)
{
	struct packet_port *pp = packet_port(p);
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (getsockopt(pp->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		pp->kernel_drops += stats.tp_drops;
	json_object_set_new(out, "kernel_drops", json_integer((json_int_t)pp->kernel_drops));
}

/* --- life ------------------------------------------------------------------------------------ */

static void packet_service(struct port *p)
{
}

/* Also of a port that is not complete. */
static void packet_close(struct port *p)
{
	struct packet_port *pp = packet_port(p);

	if (pp->fd >= 0) {
		pp->host->unwatch(pp->host->ctx, pp->fd);
		close(pp->fd);
	}
	if (pp->buffers)
		munmap(pp->buffers, (size_t)BURST_MAX * PACKET_BUFFER);
	free(pp);
}

static const struct port_ops packet_ops = {
	.kind = "packet",
	.receive = packet_receive,
	.release = packet_release,
	.transmit = packet_transmit,
	.arm = packet_arm,
	.disarm = packet_disarm,
	.service = packet_service,
	.status = packet_status,
	.stats = packet_stats,
	.close = packet_close,
};

static unsigned kernel_caps(const struct port_config *config)
{
	unsigned caps = EGRESS_CSUM | EGRESS_TSO4 | EGRESS_TSO6 | EGRESS_ECN;

	return config->offload_uso && kernel_takes_udp_l4() ? caps | EGRESS_USO4 | EGRESS_USO6
							    : caps;
}

static int map_buffers(struct packet_port *pp, struct err *err)
{
	void *map = mmap(NULL, (size_t)BURST_MAX * PACKET_BUFFER, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return err_errno(err, errno, "cannot map receive buffers");
	pp->buffers = map;
	return 0;
}

static int set_up(struct packet_port *pp, struct err *err)
{
	const char *interface = pp->config.interface;
	int ret = map_buffers(pp, err);

	if (ret < 0)
		return ret;
	pp->ifindex = (int)if_nametoindex(interface);
	if (pp->ifindex == 0)
		return err_errno(
			err, errno, "no interface \"%s\" in this network namespace", interface);
	pp->fd = open_socket(pp->ifindex, err);
	if (pp->fd < 0)
		return pp->fd;
	if (pp->config.promiscuous) {
		ret = set_promiscuous(pp->fd, pp->ifindex, err);
		if (ret < 0)
			return ret;
	}
	ret = pp->host->watch(pp->host->ctx, &pp->port, 0, pp->fd);
	return ret < 0 ? err_errno(err, -ret, "cannot wait for the packet socket") : 0;
}

struct port *packet_open(
	const struct port_config *config, const struct port_host *host, struct err *err)
{
	struct packet_port *pp = NULL;

	if (posix_memalign((void **)&pp, 64, sizeof(*pp)) != 0) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	memset(pp, 0, sizeof(*pp));
	pp->port.ops = &packet_ops;
	pp->port.n_queues = 1;
	snprintf(pp->port.name, sizeof(pp->port.name), "%s", config->name);
	pp->config = *config;
	pp->host = host;
	pp->caps = kernel_caps(config);
	pp->fd = -1;
	rte_spinlock_init(&pp->egress_lock);
	if (set_up(pp, err) < 0) {
		packet_close(&pp->port);
		return NULL;
	}
	return &pp->port;
}
