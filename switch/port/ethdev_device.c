/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/ethdev_port.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/virtio_net.h>

#include <rte_dev.h>
#include <rte_eth_vhost.h>

#include "lib/cleanup.h"
#include "switch/port/dpdk_log.h"
#include "switch/port/ethdev_pool.h"

#define N_DESCRIPTORS 256
#define SMALL_ROOM    RTE_MBUF_DEFAULT_BUF_SIZE
#define ROOM_MAX      UINT16_MAX
/* mbufs of SMALL_ROOM that a 64 KiB frame takes */
#define N_CHAIN       33

#define VIRTIO_F_RING_PACKED_BIT 34

/* Both or none: a request may be about either. */
#define RX_CSUM (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define TX_CSUM (RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)

/* "what: what the driver said"; the driver's line is not there if it said nothing. */
static int fail(struct err *err, int ret, const char *what)
{
	const char *said = dpdk_log_kept();

	if (said[0])
		return err_set(err, ret < 0 ? ret : -EIO, "%s: %s", what, said);
	return err_errno(err, ret < 0 ? -ret : EIO, "%s", what);
}

/* --- attaching ------------------------------------------------------------------------------- */

static bool is_linked(const char *driver)
{
	const char *name = strncmp(driver, "eth_", 4) == 0 ? driver + 4 : driver;
	const char *at = strstr(DPDK_DRIVERS, name);
	const size_t len = strlen(name);

	if (strcmp(driver, "net_virtio_user") == 0 || strcmp(driver, "virtio_user") == 0)
		return true;
	return at && len >= 4 && (at[len] == ' ' || at[len] == '\0');
}

/* The "net_" words of the drivers that are linked. */
static void list_drivers(char *out, size_t size)
{
	const char *at = DPDK_DRIVERS;
	size_t used = 0;

	out[0] = '\0';
	while (*at && used < size) {
		size_t len = strcspn(at, " ");

		if (strncmp(at, "net_", 4) == 0)
			used += (size_t)snprintf(out + used, size - used, "%s%.*s%s",
				used ? ", " : "", (int)len, at,
				strncmp(at, "net_virtio", len) == 0 ? "_user" : "");
		at += len + (at[len] == ' ');
	}
}

static int refuse_driver(const struct ethdev_devargs *d, struct err *err)
{
	char list[160];

	list_drivers(list, sizeof(list));
	return err_set(err, -ENODEV,
		"no driver for the device \"%s\" (linked are %s, followed by a number of your "
		"choice)",
		d->name, list);
}

static const char *attach_hint(const struct ethdev_devargs *d)
{
	switch (d->driver) {
	case ETHDEV_AF_PACKET:
		return " (needs iface=, an interface of this network namespace, CAP_NET_RAW, and "
		       "memory that may be locked: ulimit -l)";
	case ETHDEV_VHOST:
		return " (needs iface=, the path of its socket)";
	case ETHDEV_VIRTIO_USER:
		return " (needs path=, a vhost-user socket on which somebody listens)";
	default:
		return "";
	}
}

static int attach(struct ethdev_port *ep, struct err *err)
{
	const struct ethdev_devargs *d = &ep->devargs;
	struct rte_eth_dev_info info;
	uint16_t id;
	int ret;

	if (!is_linked(d->driver_name))
		return refuse_driver(d, err);
	if (rte_eth_dev_get_port_by_name(d->name, &id) == 0)
		return err_set(err, -EEXIST, "the device \"%s\" is another port's", d->name);
	dpdk_log_keep();
	ret = rte_dev_probe(d->text);
	if (ret < 0 || rte_eth_dev_get_port_by_name(d->name, &id) != 0) {
		char what[80], text[ERR_TEXT_MAX];

		snprintf(what, sizeof(what), "cannot attach \"%s\"", d->name);
		ret = fail(err, ret, what);
		if (err) {
			snprintf(text, sizeof(text), "%s", err->text);
			err_set(err, ret, "%s%s", text, attach_hint(d));
		}
		return ret;
	}
	ret = rte_eth_dev_info_get(id, &info);
	if (ret < 0)
		return fail(err, ret, "cannot ask the device what it is");
	ep->id = id;
	ep->device = info.device;
	(void)dpdk_log_kept();
	return 0;
}

/* --- configuration --------------------------------------------------------------------------- */

/*
 * Makes room for librte_vhost's socket: it would not bind to the path of one that a killed process
 * left behind, and when it fails to it removes whatever is there, also a socket in use.
 */
static int claim_socket(const char *path, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(err, errno, "cannot make a socket");
	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, -ENAMETOOLONG, "iface: longer than a socket's path may be");
	memcpy(addr.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno == EAGAIN)
		return err_set(err, -EADDRINUSE, "iface: another process listens on %s", path);
	if (errno == ECONNREFUSED)
		unlink(path);
	return 0;
}

/*
 * What UML takes when it is offered and cannot use, see ethdev.h; a Linux driver refuses a device
 * that offers GUEST_ANNOUNCE or MQ without CTRL_VQ (QEMU adds that one by itself). librte_vhost
 * listens from rte_eth_dev_configure() on; features are read for each GET_FEATURES, so this is in
 * time for whoever connects a moment later.
 */
static int limit_vhost_features(const struct ethdev_port *ep, struct err *err)
{
	uint64_t features = 1ull << VIRTIO_NET_F_CTRL_VQ | 1ull << VIRTIO_NET_F_CTRL_RX |
			    1ull << VIRTIO_NET_F_GUEST_ANNOUNCE | 1ull << VIRTIO_F_RING_PACKED_BIT;

	if (ep->port.n_queues == 1)
		features |= 1ull << VIRTIO_NET_F_MQ;
	if (rte_vhost_driver_disable_features(ep->devargs.path, features) < 0)
		return fail(err, -EIO, "cannot limit the features that guests are offered");
	return 0;
}

static int configure(struct ethdev_port *ep, const struct rte_eth_dev_info *info, struct err *err)
{
	const bool is_vhost = ep->devargs.driver == ETHDEV_VHOST;
	const uint16_t n = ep->port.n_queues;
	struct rte_eth_conf conf = { .intr_conf = { .rxq = is_vhost } };
	int ret;

	if (n > info->max_rx_queues || n > info->max_tx_queues)
		return err_set(err, -EINVAL,
			"%u queues are more than the device has (%u to receive, %u to transmit)", n,
			info->max_rx_queues, info->max_tx_queues);
	conf.txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if ((info->rx_offload_capa & RX_CSUM) == RX_CSUM)
		conf.rxmode.offloads |= RX_CSUM;
	if ((info->tx_offload_capa & TX_CSUM) == TX_CSUM) {
		conf.txmode.offloads |= TX_CSUM;
		ep->caps = EGRESS_CSUM;
	}
	ep->multi_segs = conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (is_vhost && !strstr(ep->devargs.text, "client=1")) {
		ret = claim_socket(ep->devargs.path, err);
		if (ret < 0)
			return ret;
	}
	dpdk_log_keep();
	ret = rte_eth_dev_configure(ep->id, n, n, &conf);
	if (ret < 0)
		return fail(err, ret, "cannot configure the device");
	return is_vhost ? limit_vhost_features(ep, err) : 0;
}

unsigned ethdev_kernel_link(const struct ethdev_port *ep, bool *up)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct rte_eth_dev_info info;
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	if (fd < 0 || rte_eth_dev_info_get(ep->id, &info) < 0 || info.if_index == 0 ||
		!if_indextoname(info.if_index, ifr.ifr_name))
		return 0;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return 0;
	*up = (ifr.ifr_flags & IFF_UP) && (ifr.ifr_flags & IFF_RUNNING);
	/* Starting the device would clear the flag: then DPDK shall know of it. */
	if (!ep->started && (ifr.ifr_flags & IFF_PROMISC))
		(void)rte_eth_promiscuous_enable(ep->id);
	return ioctl(fd, SIOCGIFMTU, &ifr) < 0 ? 0 : (unsigned)ifr.ifr_mtu;
}

static int settle_mtu(struct ethdev_port *ep, struct err *err)
{
	bool up = false;
	unsigned kernel_mtu = ethdev_kernel_link(ep, &up);
	uint16_t mtu = 0;
	int ret;

	/* The kernel's interface is left as it is. */
	if (ep->config.mtu && kernel_mtu == 0) {
		ret = rte_eth_dev_set_mtu(ep->id, ep->config.mtu);
		if (ret < 0 && ret != -ENOTSUP)
			return fail(err, ret, "the device does not take this mtu");
	}
	(void)rte_eth_dev_get_mtu(ep->id, &mtu);
	ep->mtu = ep->config.mtu ? ep->config.mtu : kernel_mtu ? kernel_mtu : mtu;
	return 0;
}

/* --- queues ---------------------------------------------------------------------------------- */

struct pool_size {
	unsigned n;
	uint32_t room;
};

static struct pool_size rx_pool_size(const struct ethdev_port *ep, uint16_t n_descriptors)
{
	switch (ep->devargs.driver) {
	case ETHDEV_AF_PACKET:
		return (struct pool_size) { 2 * BURST_MAX,
			ep->devargs.frame_size - ETHDEV_AF_HEADER + RTE_PKTMBUF_HEADROOM };
	case ETHDEV_VHOST:
		return (struct pool_size) { (BURST_MAX + 2) * N_CHAIN, SMALL_ROOM };
	default:
		return (struct pool_size) { n_descriptors + 8u * BURST_MAX, SMALL_ROOM };
	}
}

static struct pool_size tx_pool_size(const struct ethdev_port *ep, uint16_t n_descriptors)
{
	struct pool_size size = { n_descriptors + 4u * BURST_MAX, SMALL_ROOM };
	uint32_t longest = ep->mtu + ETH_HEADER_LEN + 2 * VLAN_TAG_LEN + RTE_PKTMBUF_HEADROOM;

	if (!ep->multi_segs && longest > size.room)
		size.room = longest;
	return size;
}

static int make_pool(const struct ethdev_port *ep, struct pool_size size, struct rte_mempool **pool,
	struct err *err)
{
	if (size.room > ROOM_MAX)
		return err_set(err, -EINVAL,
			"frames of %u bytes do not fit DPDK's buffers (framesz: at most %u)",
			size.room - RTE_PKTMBUF_HEADROOM, ETHDEV_AF_FRAME);
	*pool = ethdev_pool_new(
		size.n, (uint16_t)size.room, ep->devargs.driver == ETHDEV_VIRTIO_USER, err);
	return *pool ? 0 : -ENOMEM;
}

static int set_up_queue(
	struct ethdev_port *ep, uint16_t i, uint16_t n_rx, uint16_t n_tx, struct err *err)
{
	int ret = make_pool(ep, rx_pool_size(ep, n_rx), &ep->rx_pool[i], err);

	if (ret == 0)
		ret = make_pool(ep, tx_pool_size(ep, n_tx), &ep->egress[i].pool, err);
	if (ret < 0)
		return ret;
	dpdk_log_keep();
	ret = rte_eth_rx_queue_setup(ep->id, i, n_rx, SOCKET_ID_ANY, NULL, ep->rx_pool[i]);
	if (ret == 0)
		ret = rte_eth_tx_queue_setup(ep->id, i, n_tx, SOCKET_ID_ANY, NULL);
	return ret < 0 ? fail(err, ret, "cannot set up the device's queues") : 0;
}

static int set_up_queues(struct ethdev_port *ep, struct err *err)
{
	uint16_t n_rx = N_DESCRIPTORS, n_tx = N_DESCRIPTORS;
	int ret = rte_eth_dev_adjust_nb_rx_tx_desc(ep->id, &n_rx, &n_tx);

	if (ret < 0)
		return fail(err, ret, "cannot size the device's queues");
	for (uint16_t i = 0; i < ep->port.n_queues && ret == 0; i++)
		ret = set_up_queue(ep, i, n_rx, n_tx, err);
	return ret;
}

/* --- watching -------------------------------------------------------------------------------- */

/* Has the workers woken by each queue; a device that cannot do that is polled. */
static int watch_queues(struct ethdev_port *ep, struct err *err)
{
	if (ep->devargs.driver != ETHDEV_VHOST)
		return 0;
	for (uint16_t i = 0; i < ep->port.n_queues; i++) {
		int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(ep->id, i), ret;

		if (fd < 0)
			return 0;
		ret = ep->host->watch(ep->host->ctx, &ep->port, i, fd);
		if (ret < 0)
			return err_errno(err, -ret, "cannot wait for the device's queue %u", i);
		ep->n_watched++;
	}
	ep->sleeps = true;
	return 0;
}

static void unwatch_queues(struct ethdev_port *ep)
{
	for (uint16_t i = 0; i < ep->n_watched; i++) {
		int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(ep->id, i);

		if (fd >= 0)
			ep->host->unwatch(ep->host->ctx, fd);
	}
	ep->n_watched = 0;
}

/* --- life ------------------------------------------------------------------------------------ */

int ethdev_device_start(struct ethdev_port *ep, struct err *err)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	int ret = attach(ep, err);

	if (ret < 0)
		return ret;
	ret = rte_eth_dev_info_get(ep->id, &info);
	if (ret < 0)
		return fail(err, ret, "cannot ask the device what it can do");
	ret = configure(ep, &info, err);
	if (ret == 0)
		ret = settle_mtu(ep, err);
	if (ret == 0)
		ret = set_up_queues(ep, err);
	if (ret < 0)
		return ret;
	if (ep->devargs.driver == ETHDEV_AF_PACKET)
		ep->snap_len = ep->devargs.frame_size - ETHDEV_AF_MAC_OFFSET;
	if (rte_eth_macaddr_get(ep->id, &mac) == 0)
		memcpy(ep->mac.byte, mac.addr_bytes, sizeof(ep->mac.byte));
	/* A switch wants all frames; drivers that cannot choose say so, which is as good. */
	if (info.if_index == 0)
		(void)rte_eth_promiscuous_enable(ep->id);
	dpdk_log_keep();
	ret = rte_eth_dev_start(ep->id);
	if (ret < 0)
		return fail(err, ret, "cannot start the device");
	ep->started = true;
	(void)dpdk_log_kept();
	return watch_queues(ep, err);
}

/* What the device still holds of our buffers, as far as it gives it back. */
static void drain(struct ethdev_port *ep)
{
	struct rte_mbuf *mbuf[BURST_MAX];

	for (uint16_t q = 0; q < ep->port.n_queues; q++) {
		struct ethdev_ingress *in = &ep->ingress[q];
		uint16_t n = BURST_MAX;

		rte_pktmbuf_free_bulk(in->mbuf + in->n_released, in->n - in->n_released);
		for (unsigned round = 0; round < 64 && n > 0; round++) {
			n = rte_eth_rx_burst(ep->id, q, mbuf, BURST_MAX);
			rte_pktmbuf_free_bulk(mbuf, n);
		}
	}
}

void ethdev_device_stop(struct ethdev_port *ep)
{
	dpdk_log_keep();
	if (ep->started) {
		unwatch_queues(ep);
		drain(ep);
		(void)rte_eth_dev_stop(ep->id);
	}
	if (ep->device) {
		(void)rte_eth_dev_close(ep->id);
		(void)rte_dev_remove(ep->device);
	}
	ep->device = NULL;
	ep->started = false;
	for (unsigned q = 0; q < ep->port.n_queues; q++) {
		ethdev_pool_free(ep->rx_pool[q]);
		if (ep->egress)
			ethdev_pool_free(ep->egress[q].pool);
	}
	(void)dpdk_log_kept();
}
