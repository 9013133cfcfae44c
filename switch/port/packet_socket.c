/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A packet port's sockets: one, or a fanout group of them (packet(7), PACKET_FANOUT).
 *
 * Fanout by hash keeps a flow on a socket, both directions of it on the same one. Fragments carry
 * no ports, so those of one datagram may take another queue than the rest of its flow. Never
 * DEFRAG, which would hand us datagrams nobody sent, never ROLLOVER, which breaks flows up.
 *
 * When the interface goes down and up the kernel takes the sockets out of the group and puts them
 * back one by one, so that a flow may change its queue in that moment.
 *
 * Two things need care.
 *
 * Between bind() and joining the group a socket receives every frame, and once it has joined,
 * frames that the others receive too would be duplicates. So every socket of a group begins deaf,
 * with a filter that takes nothing, and is opened when all have joined.
 *
 * A group has a hook of its own in the kernel that does not know PACKET_IGNORE_OUTGOING, so that
 * we would hear what the kernel itself sends by the interface (not what we send: a group never
 * hears its own members). Since Linux 6.2 a flag of the group says the same, and before that it is
 * ignored; a filter by packet type is right everywhere (tried: either is enough, with neither they
 * come). In the switch it would be too late: a frame may be received straight into a guest.
 */
#include "switch/port/packet_port.h"

#include <errno.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "lib/cleanup.h"
#include "switch/port/packet_filter.h"

/* A burst of super-frames fits, so that a scheduling gap of the worker loses nothing. */
#define SOCKET_BUFFER (8 << 20)

/* linux/if_packet.h since 6.2 */
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

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

static int set_filter(int fd, struct packet_filter *filter, struct err *err)
{
	struct sock_fprog prog = { .len = filter->len, .filter = filter->code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		return err_errno(err, errno, "cannot set the packet socket's filter");
	return 0;
}

static int hear_nothing(int fd, struct err *err)
{
	struct packet_filter filter;

	packet_filter_deaf(&filter);
	return set_filter(fd, &filter, err);
}

/* All that this port is to hear. */
static int hear_ours(const struct packet_port *pp, int fd, struct err *err)
{
	struct packet_filter filter;

	packet_filter_make(&filter, &pp->kernel_ports, pp->port.n_queues > 1);
	return set_filter(fd, &filter, err);
}

int packet_sockets_filter(const struct packet_port *pp, struct err *err)
{
	int ret = 0;

	for (unsigned i = 0; i < pp->port.n_queues && ret == 0; i++)
		if (packet_fd(&pp->queue[i]) >= 0)
			ret = hear_ours(pp, packet_fd(&pp->queue[i]), err);
	return ret;
}

static int new_socket(struct err *err)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? err_errno(err, errno, "cannot open a packet socket%s",
				errno == EPERM ? " (CAP_NET_RAW is needed)" : "")
		      : fd;
}

/* Every option precedes bind(): no frame is seen without its offload header and auxiliary data. */
static int open_socket(const struct packet_port *pp, int ifindex, struct err *err)
{
	cleanup_close int fd = new_socket(err);
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};
	int ret;

	if (fd < 0)
		return fd;
	ret = set_flag(fd, PACKET_VNET_HDR, "PACKET_VNET_HDR", err);
	if (ret == 0)
		ret = set_flag(fd, PACKET_AUXDATA, "PACKET_AUXDATA", err);
	if (ret == 0)
		ret = set_flag(fd, PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING", err);
	if (ret == 0)
		ret = pp->port.n_queues > 1 ? hear_nothing(fd, err) : hear_ours(pp, fd, err);
	if (ret < 0)
		return ret;
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, errno, "cannot bind the packet socket");
	return steal_fd(&fd);
}

/* The first one has the kernel choose an id that nobody uses, *group is 0; the others use it. */
static int join(int fd, int *group, struct err *err)
{
	socklen_t len = sizeof(*group);

	if (*group == 0)
		*group = (PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID |
				 PACKET_FANOUT_FLAG_IGNORE_OUTGOING)
			 << 16;
	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, group, sizeof(*group)) < 0 ||
		getsockopt(fd, SOL_PACKET, PACKET_FANOUT, group, &len) < 0)
		return err_errno(err, errno, "cannot share the interface among queues");
	return 0;
}

static int open_group(const struct packet_port *pp, int ifindex, int *fd, struct err *err)
{
	unsigned n = pp->port.n_queues;
	int group = 0, ret = 0;

	for (unsigned i = 0; i < n && ret == 0; i++) {
		fd[i] = open_socket(pp, ifindex, err);
		ret = fd[i] < 0 ? fd[i] : join(fd[i], &group, err);
	}
	for (unsigned i = 0; i < n && ret == 0; i++)
		ret = hear_ours(pp, fd[i], err);
	return ret;
}

static int open_one(const struct packet_port *pp, int ifindex, int *fd, struct err *err)
{
	*fd = open_socket(pp, ifindex, err);
	return *fd < 0 ? *fd : 0;
}

int packet_sockets_open(const struct packet_port *pp, int ifindex, int *fd, struct err *err)
{
	unsigned n = pp->port.n_queues;
	int ret;

	for (unsigned i = 0; i < n; i++)
		fd[i] = -1;
	ret = n > 1 ? open_group(pp, ifindex, fd, err) : open_one(pp, ifindex, fd, err);
	if (ret == 0 && pp->config.promiscuous)
		ret = set_promiscuous(fd[0], ifindex, err);
	for (unsigned i = 0; i < n && ret < 0; i++)
		if (fd[i] >= 0)
			close(steal_fd(&fd[i]));
	return ret;
}

int packet_sockets_probe(struct err *err)
{
	int fd = new_socket(err);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

bool packet_socket_bound(int fd, int ifindex)
{
	struct sockaddr_ll addr;
	socklen_t len = sizeof(addr);

	return getsockname(fd, (struct sockaddr *)&addr, &len) == 0 && addr.sll_ifindex == ifindex;
}

uint64_t packet_socket_drops(int fd)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0 ? stats.tp_drops
										: 0;
}
