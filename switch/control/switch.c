/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "switch/datapath/fdb.h"
#include "switch/port/guest_memory.h"
#include "switch/port/packet.h"
#include "switch/port/vhost_net.h"

#define TICK_S              1
#define QUIESCE_PATIENCE_MS 50

/* --- what ports ask of us -------------------------------------------------------------------- */

/*
 * Workers make no system call that waits, with one exception: a hostile VMM shares the call eventfd
 * with us, can make it blocking again and fill it. A worker that hangs in that write is
 * interrupted; virtqueue_signal() takes EINTR for the proof. on_tick() looks after a worker that
 * hangs while nobody asks for a grace period.
 */
static void host_quiesce(void *ctx)
{
	struct sluice_switch *sw = ctx;
	uint64_t token = rte_rcu_qsbr_start(sw->qsbr), start = rte_rdtsc();
	uint64_t patience = rte_get_tsc_hz() / 1000 * QUIESCE_PATIENCE_MS;

	while (!rte_rcu_qsbr_check(sw->qsbr, token, false)) {
		if (rte_rdtsc() - start > patience) {
			for (unsigned i = 0; i < sw->n_workers; i++)
				worker_thread_interrupt(&sw->worker[i]);
			start = rte_rdtsc();
		}
		rte_pause();
	}
}

static int host_watch(void *ctx, const struct port *port, unsigned queue, int fd)
{
	struct sluice_switch *sw = ctx;

	return worker_thread_watch(&sw->worker[0], fd);
}

static void host_unwatch(void *ctx, int fd)
{
	struct sluice_switch *sw = ctx;

	worker_thread_unwatch(&sw->worker[0], fd);
}

static void host_wake(void *ctx)
{
	struct sluice_switch *sw = ctx;

	for (unsigned i = 0; i < sw->n_workers; i++)
		worker_thread_wake(&sw->worker[i]);
}

static void host_event(void *ctx, const struct port *port, const char *event, const char *detail)
{
	log_limited(LOG_LEVEL_INFO, event, log_str("port", port->name), log_str("detail", detail));
}

static void on_attention(evutil_socket_t fd, short what, void *arg)
{
	struct sluice_switch *sw = arg;
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
	for (unsigned i = 0; i < sw->n_ports; i++)
		sw->port[i]->ops->service(sw->port[i]);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct sluice_switch *sw = arg;

	host_quiesce(sw);
	(void)fdb_expire(sw->fdb, switch_now_s(sw), sw->config->fdb_ageing_s);
}

/* --- the snapshot ---------------------------------------------------------------------------- */

/* The only port that frames of `from` can go to and land in, or NULL. */
static struct port *sole_receiver(const struct topology *t, const struct port *from)
{
	struct port *sole = NULL;

	for (unsigned i = 0; i < t->n_ports; i++) {
		if (t->port[i] == from)
			continue;
		if (sole)
			return NULL;
		sole = t->port[i];
	}
	return sole && sole->ops->landing ? sole : NULL;
}

/* Makes the ports of sw->port what the workers see. */
static int publish(struct sluice_switch *sw, struct err *err)
{
	struct topology *t = calloc(1, sizeof(*t) + sw->n_ports * sizeof(t->queues[0])), *old;

	if (!t)
		return err_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < sw->n_ports; i++) {
		t->port[i] = sw->port[i];
		t->by_id[sw->port[i]->id] = sw->port[i];
		t->queues[i] = (struct rx_queue) { sw->port[i], 0 };
	}
	t->n_ports = sw->n_ports;
	t->rx[0] = (struct rx_list) { sw->n_ports, t->queues };
	for (unsigned i = 0; i < t->n_ports; i++)
		t->sole[t->port[i]->id] = sole_receiver(t, t->port[i]);
	old = __atomic_exchange_n(&sw->topology, t, __ATOMIC_ACQ_REL);
	host_quiesce(sw);
	free(old);
	return 0;
}

/* --- start and stop -------------------------------------------------------------------------- */

static int start_rcu(struct sluice_switch *sw, struct err *err)
{
	size_t size = rte_rcu_qsbr_get_memsize(WORKER_MAX);

	if (posix_memalign((void **)&sw->qsbr, 64, size) != 0)
		return err_set(err, -ENOMEM, "out of memory");
	memset(sw->qsbr, 0, size);
	(void)rte_rcu_qsbr_init(sw->qsbr, WORKER_MAX);
	sw->fdb = fdb_new(sw->config->fdb_size, sw->qsbr, err);
	return sw->fdb ? 0 : -ENOMEM;
}

static struct event *add_event(struct sluice_switch *sw, int fd, short what,
	event_callback_fn callback, const struct timeval *timeout)
{
	struct event *ev = event_new(sw->base, fd, what | EV_PERSIST, callback, sw);

	if (ev)
		event_add(ev, timeout);
	return ev;
}

static int start_host(struct sluice_switch *sw, struct err *err)
{
	const struct timeval tick = { .tv_sec = TICK_S };

	sw->host.attention_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sw->host.attention_fd < 0)
		return err_errno(err, errno, "cannot make an eventfd");
	if (guest_memory_guard(sw->host.attention_fd) < 0)
		return err_errno(err, errno, "cannot guard against vanishing guest memory");
	sw->attention_event = add_event(sw, sw->host.attention_fd, EV_READ, on_attention, NULL);
	sw->tick_event = add_event(sw, -1, 0, on_tick, &tick);
	if (!sw->attention_event || !sw->tick_event)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int start_worker(struct sluice_switch *sw, struct err *err)
{
	const struct worker_settings settings = {
		.id = 0,
		.cpu = sw->config->worker_cpus[0],
		.spin_us = sw->config->spin_us,
		.topology = &sw->topology,
		.fdb = sw->fdb,
		.qsbr = sw->qsbr,
	};
	int ret = worker_thread_init(&sw->worker[0], &settings, err);

	if (ret == 0)
		sw->n_workers = 1;
	return ret;
}

static struct port *open_port(
	const struct port_config *config, const struct port_host *host, struct err *err)
{
	switch (config->kind) {
	case PORT_KIND_PACKET:
		return packet_open(config, host, err);
	case PORT_KIND_VHOST_USER:
		return vhost_net_open(config, host, err);
	case PORT_KIND_ETHDEV:
		break;
	}
	err_set(err, -EINVAL, "unknown kind of port");
	return NULL;
}

static int start_ports(struct sluice_switch *sw, struct err *err)
{
	for (size_t i = 0; i < sw->config->n_ports; i++) {
		const struct port_config *c = &sw->config->ports[i];
		struct port *p = open_port(c, &sw->host, err);

		if (!p)
			return err_wrap(err, -EIO, "port \"%s\"", c->name);
		p->id = (uint16_t)i;
		sw->port[sw->n_ports++] = p;
		log_info("port opened", log_str("port", p->name), log_str("kind", p->ops->kind));
	}
	return publish(sw, err);
}

int switch_start(struct sluice_switch *sw, const struct sluiced_config *config,
	struct event_base *base, struct err *err)
{
	int ret;

	*sw = (struct sluice_switch) { .config = config, .base = base, .started = time(NULL) };
	sw->host = (struct port_host) {
		.base = base,
		.quiesce = host_quiesce,
		.watch = host_watch,
		.unwatch = host_unwatch,
		.wake = host_wake,
		.event = host_event,
		.attention_fd = -1,
		.ctx = sw,
	};
	ret = start_rcu(sw, err);
	if (ret == 0)
		ret = start_host(sw, err);
	if (ret == 0)
		ret = start_worker(sw, err);
	if (ret == 0)
		ret = start_ports(sw, err);
	if (ret == 0)
		ret = worker_thread_start(&sw->worker[0], err);
	if (ret < 0)
		switch_stop(sw);
	return ret;
}

/* Ends the threads but keeps what they sleep on: closing ports take their descriptors out of it. */
static void join_workers(struct sluice_switch *sw)
{
	for (unsigned i = 0; i < sw->n_workers; i++)
		worker_thread_join(&sw->worker[i]);
}

void switch_stop(struct sluice_switch *sw)
{
	join_workers(sw);
	for (unsigned i = 0; i < sw->n_ports; i++)
		sw->port[i]->ops->close(sw->port[i]);
	sw->n_ports = 0;
	for (unsigned i = 0; i < sw->n_workers; i++)
		worker_thread_free(&sw->worker[i]);
	sw->n_workers = 0;
	if (sw->attention_event)
		event_free(steal_ptr(&sw->attention_event));
	if (sw->tick_event)
		event_free(steal_ptr(&sw->tick_event));
	if (sw->host.attention_fd >= 0)
		close(steal_fd(&sw->host.attention_fd));
	free(steal_ptr(&sw->topology));
	fdb_free(steal_ptr(&sw->fdb));
	free(steal_ptr(&sw->qsbr));
}

struct port *switch_port(const struct sluice_switch *sw, const char *name)
{
	for (unsigned i = 0; i < sw->n_ports; i++)
		if (strcmp(sw->port[i]->name, name) == 0)
			return sw->port[i];
	return NULL;
}

uint32_t switch_now_s(const struct sluice_switch *sw)
{
	return worker_now_s(sw->worker[0].worker);
}
