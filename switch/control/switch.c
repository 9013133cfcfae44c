/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "switch/control/apply.h"
#include "switch/control/telemetry.h"
#include "switch/datapath/fdb.h"
#include "switch/port/guest_memory.h"

#define TICK_S      1
#define WATCHDOG_MS 100

/* --- what ports ask of us -------------------------------------------------------------------- */

static void host_quiesce(void *ctx)
{
	struct sluice_switch *sw = ctx;

	workers_quiesce(&sw->workers);
}

static int host_watch(void *ctx, const struct port *port, unsigned queue, int fd)
{
	struct sluice_switch *sw = ctx;

	return workers_watch(&sw->workers, port, queue, fd);
}

static void host_unwatch(void *ctx, int fd)
{
	struct sluice_switch *sw = ctx;

	workers_unwatch(&sw->workers, fd);
}

static void host_wake(void *ctx)
{
	struct sluice_switch *sw = ctx;

	workers_wake(&sw->workers);
}

static int host_watch_links(void *ctx, struct port *port)
{
	struct sluice_switch *sw = ctx;

	return link_watch_add(&sw->links, sw->base, port);
}

static void host_unwatch_links(void *ctx, struct port *port)
{
	struct sluice_switch *sw = ctx;

	link_watch_remove(&sw->links, port);
}

static int host_find_link(void *ctx, const char *name, int ifindex, struct link_info *out)
{
	struct sluice_switch *sw = ctx;

	return link_watch_find(&sw->links, name, ifindex, out);
}

static void host_forget(void *ctx, const struct port *port)
{
	struct sluice_switch *sw = ctx;

	(void)fdb_flush(sw->fdb, port->id);
	pod_control_forget_guest(sw, port->id);
}

/* Guests make these happen: not every one is logged. */
static void host_event(void *ctx, const struct port *port, const char *event, const char *detail)
{
	struct sluice_switch *sw = ctx;

	log_limited(LOG_LEVEL_INFO, event, log_str("port", port->name), log_str("detail", detail));
	if (sw->on_event)
		sw->on_event(sw->event_ctx, event, port->name, detail);
}

/* --- what happens by itself ------------------------------------------------------------------ */

void switch_event(struct sluice_switch *sw, const char *event, const char *port, const char *detail)
{
	if (port && detail)
		log_info(event, log_str("port", port), log_str("detail", detail));
	else if (port)
		log_info(event, log_str("port", port));
	else
		log_info(event, log_str("detail", detail));
	if (sw->on_event)
		sw->on_event(sw->event_ctx, event, port, detail);
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

	(void)fdb_expire(sw->fdb, switch_now_s(sw), sw->config.fdb_ageing_s);
	pod_control_tick(sw);
	telemetry_update(sw);
}

/* A worker that hangs serves no port at all: see workers_quiesce(). */
static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct sluice_switch *sw = arg;

	workers_quiesce(&sw->workers);
}

/* --- start and stop -------------------------------------------------------------------------- */

static int start_rcu(struct sluice_switch *sw, uint32_t fdb_size, struct err *err)
{
	size_t size = rte_rcu_qsbr_get_memsize(WORKER_MAX);

	if (posix_memalign((void **)&sw->qsbr, 64, size) != 0)
		return err_set(err, -ENOMEM, "out of memory");
	memset(sw->qsbr, 0, size);
	(void)rte_rcu_qsbr_init(sw->qsbr, WORKER_MAX);
	sw->fdb = fdb_new(fdb_size, sw->qsbr, err);
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
	const struct timeval watchdog = { .tv_usec = WATCHDOG_MS * 1000 };

	sw->host.attention_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sw->host.attention_fd < 0)
		return err_errno(err, errno, "cannot make an eventfd");
	if (guest_memory_guard(sw->host.attention_fd) < 0)
		return err_errno(err, errno, "cannot guard against vanishing guest memory");
	sw->attention_event = add_event(sw, sw->host.attention_fd, EV_READ, on_attention, NULL);
	sw->tick_event = add_event(sw, -1, 0, on_tick, &tick);
	sw->watchdog_event = add_event(sw, -1, 0, on_watchdog, &watchdog);
	if (!sw->attention_event || !sw->tick_event || !sw->watchdog_event)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int switch_start(struct sluice_switch *sw, struct sluiced_config *config, struct event_base *base,
	struct err *err)
{
	int ret;

	*sw = (struct sluice_switch) { .base = base, .started = time(NULL) };
	sw->host = (struct port_host) {
		.base = base,
		.quiesce = host_quiesce,
		.watch = host_watch,
		.unwatch = host_unwatch,
		.wake = host_wake,
		.watch_links = host_watch_links,
		.unwatch_links = host_unwatch_links,
		.find_link = host_find_link,
		.forget = host_forget,
		.event = host_event,
		.attention_fd = -1,
		.ctx = sw,
	};
	ret = start_rcu(sw, config->fdb_size, err);
	workers_init(&sw->workers, &sw->topology, sw->fdb, sw->qsbr);
	if (ret == 0)
		ret = start_host(sw, err);
	if (ret == 0)
		ret = switch_publish(sw, err);
	if (ret == 0)
		ret = switch_apply(sw, config, NULL, err);
	sluiced_config_free(config);
	if (ret < 0)
		switch_stop(sw);
	return ret;
}

void switch_stop(struct sluice_switch *sw)
{
	unsigned n = sw->n_ports;

	/* Workers that see no port leave their descriptors alone; the rest is done in peace. */
	sw->on_event = NULL;
	sw->n_ports = 0;
	if (sw->topology && switch_publish(sw, NULL) < 0)
		workers_shrink(&sw->workers, 0);
	for (unsigned i = 0; i < n; i++)
		sw->port[i]->ops->close(sw->port[i]);
	link_watch_close(&sw->links);
	workers_stop(&sw->workers);
	if (sw->attention_event)
		event_free(steal_ptr(&sw->attention_event));
	if (sw->tick_event)
		event_free(steal_ptr(&sw->tick_event));
	if (sw->watchdog_event)
		event_free(steal_ptr(&sw->watchdog_event));
	if (sw->host.attention_fd >= 0)
		close(steal_fd(&sw->host.attention_fd));
	switch_unpublish(sw);
	pod_control_stop(sw);
	fdb_free(steal_ptr(&sw->fdb));
	free(steal_ptr(&sw->qsbr));
	sluiced_config_free(&sw->config);
}

struct port *switch_port(const struct sluice_switch *sw, const char *name)
{
	for (unsigned i = 0; i < sw->n_ports; i++)
		if (strcmp(sw->port[i]->name, name) == 0)
			return sw->port[i];
	return NULL;
}

const struct port_config *switch_port_config(const struct sluice_switch *sw, const char *name)
{
	return sluiced_config_port(&sw->config, name);
}

uint32_t switch_now_s(const struct sluice_switch *sw)
{
	return (uint32_t)(rte_rdtsc() / rte_get_tsc_hz());
}
