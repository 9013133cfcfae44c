/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/ethdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "switch/port/ethdev_port.h"

/* --- status ---------------------------------------------------------------------------------- */

static bool is_up(const struct ethdev_port *ep)
{
	bool up = false;

	/* net_af_packet says "up" whatever its interface does. */
	if (ethdev_kernel_link(ep, &up) > 0)
		return up;
	return ethdev_is_connected(ep);
}

static void add_reason(const struct ethdev_port *ep, json_t *out)
{
	const char *reason = "the device says that its link is down", *hint = NULL;

	if (ep->devargs.driver == ETHDEV_VHOST) {
		reason = "no guest is connected";
		hint = "start the VM with a vhost-user device on the socket that iface= names";
	} else if (ep->devargs.driver == ETHDEV_AF_PACKET) {
		reason = "the interface is down or has no carrier";
		hint = "ip link set IFACE up, or look at the other end";
	}
	json_object_set_new(out, "reason", json_string(reason));
	if (hint)
		json_object_set_new(out, "hint", json_string(hint));
}

static void ethdev_status(struct port *p, json_t *out)
{
	struct ethdev_port *ep = ethdev_port(p);
	char mac[MAC_TEXT_MAX];
	bool up = is_up(ep);

	json_object_set_new(out, "operstate", json_string(up ? "up" : "down"));
	if (!up)
		add_reason(ep, out);
	json_object_set_new(out, "driver", json_string(ep->devargs.driver_name));
	json_object_set_new(out, "devargs", json_string(ep->devargs.text));
	json_object_set_new(out, "address", json_string(mac_format(&ep->mac, mac)));
	json_object_set_new(out, "mtu", json_integer(ep->mtu));
	json_object_set_new(out, "n_queues", json_integer(p->n_queues));
	json_object_set_new(out, "sleeps", json_boolean(ep->sleeps));
}

static void ethdev_stats(struct port *p, json_t *out)
{
	struct ethdev_port *ep = ethdev_port(p);
	struct rte_eth_stats stats = { 0 };
	uint64_t n_bad = 0;

	for (unsigned q = 0; q < p->n_queues; q++)
		n_bad += counter_read(&ep->ingress[q].n_bad_checksum);
	json_object_set_new(out, "bad_checksum", json_integer((json_int_t)n_bad));
	if (rte_eth_stats_get(ep->id, &stats) < 0)
		return;
	json_object_set_new(out, "device",
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "ipackets", (json_int_t)stats.ipackets,
			"opackets", (json_int_t)stats.opackets, "imissed",
			(json_int_t)stats.imissed, "ierrors", (json_int_t)stats.ierrors, "oerrors",
			(json_int_t)stats.oerrors, "rx_nombuf", (json_int_t)stats.rx_nombuf));
}

/* --- life ------------------------------------------------------------------------------------ */

/* One of DPDK's threads: a guest came or went, or a queue of it was enabled. */
static int on_change(uint16_t id, enum rte_eth_event_type event, void *arg, void *ret_param)
{
	struct ethdev_port *ep = arg;
	uint64_t one = 1;

	__atomic_store_n(&ep->changed, true, __ATOMIC_RELEASE);
	(void)!write(ep->host->attention_fd, &one, sizeof(one));
	return 0;
}

static void ethdev_service(struct port *p)
{
	struct ethdev_port *ep = ethdev_port(p);
	bool up;

	if (!__atomic_exchange_n(&ep->changed, false, __ATOMIC_ACQ_REL))
		return;
	/* A worker that sleeps has armed the queues of the guest before, if there was one. */
	ep->host->wake(ep->host->ctx);
	up = is_up(ep);
	if (up == ep->was_up)
		return;
	ep->was_up = up;
	if (ep->devargs.driver == ETHDEV_VHOST)
		ep->host->event(ep->host->ctx, p, up ? "guest-connected" : "guest-disconnected",
			ep->devargs.path);
	else
		ep->host->event(ep->host->ctx, p, up ? "link-up" : "link-down", NULL);
}

static const enum rte_eth_event_type events[] = { RTE_ETH_EVENT_INTR_LSC,
	RTE_ETH_EVENT_QUEUE_STATE };
#define N_EVENTS (sizeof(events) / sizeof(events[0]))

/* Also of a port that is not complete. */
static void ethdev_close(struct port *p)
{
	struct ethdev_port *ep = ethdev_port(p);

	for (size_t i = 0; i < N_EVENTS && ep->started; i++)
		(void)rte_eth_dev_callback_unregister(ep->id, events[i], on_change, ep);
	ethdev_device_stop(ep);
	free(ep->ingress);
	free(ep->egress);
	free(ep);
}

static const struct port_ops ethdev_ops = {
	.kind = "ethdev",
	.receive = ethdev_receive,
	.release = ethdev_release,
	.transmit = ethdev_transmit,
	.arm = ethdev_arm,
	.disarm = ethdev_disarm,
	.service = ethdev_service,
	.status = ethdev_status,
	.stats = ethdev_stats,
	.close = ethdev_close,
};

static void *zalloc_aligned(size_t size)
{
	void *p = NULL;

	if (posix_memalign(&p, 64, size) != 0)
		return NULL;
	return memset(p, 0, size);
}

static int set_up(struct ethdev_port *ep, struct err *err)
{
	const unsigned n = ep->port.n_queues;
	int ret;

	ep->ingress = zalloc_aligned(n * sizeof(*ep->ingress));
	ep->egress = zalloc_aligned(n * sizeof(*ep->egress));
	if (!ep->ingress || !ep->egress)
		return err_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < n; i++)
		rte_spinlock_init(&ep->egress[i].lock);
	ret = ethdev_devargs_parse(&ep->devargs, ep->config.devargs, n, err);
	if (ret == 0)
		ret = ethdev_device_start(ep, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < N_EVENTS; i++)
		(void)rte_eth_dev_callback_register(ep->id, events[i], on_change, ep);
	/* Who came before that was not announced. */
	(void)on_change(ep->id, events[0], ep, NULL);
	return 0;
}

struct port *ethdev_open(
	const struct port_config *config, const struct port_host *host, struct err *err)
{
	struct ethdev_port *ep = zalloc_aligned(sizeof(*ep));

	if (!ep) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	ep->port.ops = &ethdev_ops;
	ep->port.n_queues = config->queues ? config->queues : 1;
	snprintf(ep->port.name, sizeof(ep->port.name), "%s", config->name);
	ep->config = *config;
	ep->host = host;
	ep->hz = rte_get_tsc_hz();
	if (set_up(ep, err) < 0) {
		ethdev_close(&ep->port);
		return NULL;
	}
	return &ep->port;
}
