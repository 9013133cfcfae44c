/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Inside of the ethdev port, shared by its control side (ethdev.c), the device's life
 * (ethdev_device.c), its ingress (ethdev_ingress.c) and its egress (ethdev_egress.c). Nobody else
 * includes this.
 */

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_spinlock.h>

#include "switch/datapath/offload.h"
#include "switch/datapath/refragment.h"
#include "switch/port/ethdev_devargs.h"
#include "switch/port/ethdev_echo.h"
#include "switch/port/host.h"
#include "switch/port/port.h"

/* One receive queue; all of it belongs to the worker that polls it. */
struct ethdev_ingress {
	struct rte_mbuf *mbuf[BURST_MAX];
	unsigned n;          /* in mbuf[] */
	unsigned n_released; /* of them given back */
	unsigned next;       /* the first that no frame was made of yet */
	bool cutting;        /* mbuf[next] is `whole`, of which fragments are still to come */
	struct refragmenter cutter;
	uint32_t fragment_id;
	uint64_t n_bad_checksum; /* read by the control thread */
	struct frame whole;
} __attribute__((aligned(64)));

/* One transmit queue; all of it belongs to whoever holds the lock. */
struct ethdev_egress {
	rte_spinlock_t lock;
	struct rte_mempool *pool; /* constant */
	unsigned n;
	struct rte_mbuf *mbuf[BURST_MAX];
	bool is_super[BURST_MAX];
	struct frame scratch;
} __attribute__((aligned(64)));

struct ethdev_port {
	struct port port;
	/* control thread; constant while workers know the port */
	struct port_config config;
	const struct port_host *host;
	struct ethdev_devargs devargs;
	struct rte_device *device; /* NULL: not attached */
	uint16_t id;               /* DPDK's */
	bool started;
	bool sleeps;     /* a worker can be woken by each of its queues */
	bool multi_segs; /* the driver takes frames in several mbufs */
	unsigned n_watched;
	unsigned caps; /* EGRESS_ bits */
	uint32_t mtu;
	uint32_t snap_len; /* received frames of this length may have been cut; 0: never */
	struct mac mac;
	uint64_t hz;
	bool was_up;
	struct rte_mempool *rx_pool[QUEUES_MAX];
	/* set by DPDK's threads, taken by the control thread */
	bool changed;

	struct ethdev_ingress *ingress; /* n_queues of each */
	struct ethdev_egress *egress;
	struct echo_table echo;
};

static inline struct ethdev_port *ethdev_port(struct port *p)
{
	return (struct ethdev_port *)p;
}

static inline bool ethdev_is_echoing(const struct ethdev_port *ep)
{
	return ep->devargs.driver == ETHDEV_AF_PACKET;
}

static inline bool ethdev_is_connected(const struct ethdev_port *ep)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(ep->id, &link) == 0 && link.link_status;
}

/* --- ethdev_device.c: control thread --------------------------------------------------------- */

/*
 * Attaches, configures and starts the device that ep->devargs names, with pools for its queues. On
 * failure *err says why, and ethdev_device_stop() is still to be called.
 */
int ethdev_device_start(struct ethdev_port *ep, struct err *err);

/* Ends whatever ethdev_device_start() has got to. */
void ethdev_device_stop(struct ethdev_port *ep);

/* The MTU of the kernel's interface behind the device, 0 if there is none; *up: as `ip link`. */
unsigned ethdev_kernel_link(const struct ethdev_port *ep, bool *up);

/* --- port_ops -------------------------------------------------------------------------------- */

unsigned ethdev_receive(struct port *p, unsigned queue, struct frame *burst, unsigned n,
	struct port *sole, struct counters *c);
void ethdev_release(struct port *p, unsigned queue, struct counters *c);
bool ethdev_arm(struct port *p, unsigned queue);
void ethdev_disarm(struct port *p, unsigned queue);
void ethdev_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c);
