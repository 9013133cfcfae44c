/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/methods.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <rte_version.h>

#include "switch/control/switch.h"
#include "switch/datapath/fdb.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/*
 * The one optional parameter of port methods. False with *err set if there is anything else, or no
 * such port; *port is NULL if no name was given.
 */
static bool port_param(
	const struct sluice_switch *sw, const json_t *params, struct port **port, struct err *err)
{
	const char *key;
	json_t *value;

	*port = NULL;
	json_object_foreach ((json_t *)params, key, value) {
		if (strcmp(key, "name") != 0 || !json_is_string(value)) {
			err_set(err, -EINVAL,
				"unknown parameter \"%.32s\": only \"name\", a string", key);
			return false;
		}
		*port = switch_port(sw, json_string_value(value));
		if (!*port) {
			err_set(err, -ENOENT, "there is no port \"%.32s\"",
				json_string_value(value));
			return false;
		}
	}
	return true;
}

/* An array of what `describe` says about the port named in params, or about all. */
static json_t *each_port(struct sluice_switch *sw, const json_t *params,
	json_t *(*describe)(struct port *p), struct err *err)
{
	struct port *only;
	json_t *out;

	if (!port_param(sw, params, &only, err))
		return NULL;
	out = json_array();
	for (unsigned i = 0; i < sw->n_ports; i++)
		if (!only || sw->port[i] == only)
			json_array_append_new(out, describe(sw->port[i]));
	return out;
}

static json_t *describe_port(struct port *p)
{
	json_t *o = json_pack(
		"{s:s, s:i, s:s}", "ifname", p->name, "ifindex", p->id, "kind", p->ops->kind);

	p->ops->status(p, o);
	return o;
}

static json_t *port_show(void *ctx, const json_t *params, struct err *err)
{
	return each_port(ctx, params, describe_port, err);
}

/* All workers' counts together. */
static struct counters sum_counters(const struct port *p)
{
	struct counters sum = { 0 };
	uint64_t *to = (uint64_t *)&sum;

	for (unsigned w = 0; w < WORKER_MAX; w++) {
		const uint64_t *from = (const uint64_t *)&p->counters[w];

		for (size_t i = 0; i < sizeof(sum) / sizeof(*to); i++)
			to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	}
	return sum;
}

/* Drops for which a peer or the kernel is to blame, not the load. */
static const bool is_error[DROP_N_REASONS] = {
	[DROP_RUNT] = true,
	[DROP_TOO_LONG] = true,
	[DROP_BAD_OFFLOAD] = true,
	[DROP_CHAIN_TOO_LONG] = true,
	[DROP_BAD_DESCRIPTOR] = true,
	[DROP_LANDING_LOST] = true,
	[DROP_BUFFER_BAD] = true,
	[DROP_BUFFER_PIECES] = true,
	[DROP_REFUSED] = true,
	[DROP_MEMORY_GONE] = true,
};

/* `dropped` counts all drops of this direction, `errors` those of them that are errors. */
static json_t *describe_way(
	const struct counters *c, const struct counters_way *way, enum drop_direction direction)
{
	uint64_t dropped = 0, errors = 0;
	json_t *o = json_object();

	for (unsigned i = 0; i < DROP_N_REASONS; i++) {
		if (drop_info[i].direction != direction)
			continue;
		dropped += c->drop[i];
		errors += is_error[i] ? c->drop[i] : 0;
	}
	json_object_set_new(o, "packets", number(way->packets));
	json_object_set_new(o, "bytes", number(way->bytes));
	json_object_set_new(o, "errors", number(errors));
	json_object_set_new(o, "dropped", number(dropped));
	json_object_set_new(o, "super_frames", number(way->super_frames));
	return o;
}

static json_t *describe_drops(const struct counters *c)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < DROP_N_REASONS; i++)
		if (c->drop[i])
			json_object_set_new(o, drop_info[i].name,
				json_pack("{s:I, s:s}", "count", (json_int_t)c->drop[i], "help",
					drop_info[i].help));
	return o;
}

static json_t *describe_stats(struct port *p)
{
	struct counters c = sum_counters(p);
	json_t *o = json_pack("{s:s, s:{s:o, s:o}}", "ifname", p->name, "stats64", "rx",
		describe_way(&c, &c.rx, DROP_RX), "tx", describe_way(&c, &c.tx, DROP_TX));

	json_object_set_new(o, "segmented", number(c.segmented));
	json_object_set_new(o, "checksummed", number(c.checksummed));
	json_object_set_new(o, "landed", number(c.landed));
	json_object_set_new(o, "wakeups", number(c.wakeups));
	json_object_set_new(o, "drop_reasons", describe_drops(&c));
	if (p->ops->stats)
		p->ops->stats(p, o);
	return o;
}

static json_t *port_stats(void *ctx, const json_t *params, struct err *err)
{
	return each_port(ctx, params, describe_stats, err);
}

static json_t *describe_row(const struct sluice_switch *sw, const struct fdb_row *row)
{
	int32_t age = (int32_t)(switch_now_s(sw) - row->seen_s);
	const struct port *p = row->port < PORT_MAX ? sw->topology->by_id[row->port] : NULL;
	char mac[MAC_TEXT_MAX];

	return json_pack("{s:s, s:i, s:s, s:[], s:i, s:s}", "mac", mac_format(&row->mac, mac),
		"vlan", row->vlan, "ifname", p ? p->name : "?", "flags", "age",
		age > 0 && !row->is_static ? age : 0, "state",
		row->is_static ? "static" : "learned");
}

static json_t *fdb_show(void *ctx, const json_t *params, struct err *err)
{
	struct sluice_switch *sw = ctx;
	json_t *out = json_array();
	uint32_t cursor = 0;
	struct fdb_row row;

	while (fdb_next(sw->fdb, &cursor, &row))
		json_array_append_new(out, describe_row(sw, &row));
	return out;
}

static json_t *describe_worker(const struct sluice_switch *sw, const struct worker_thread *wt)
{
	const struct worker *w = wt->worker;
	const struct worker_stats *s = &w->stats;
	json_t *o = json_object(), *queues = json_array();

	json_object_set_new(o, "worker", number(w->id));
	json_object_set_new(o, "cpu", wt->cpu >= 0 ? json_integer(wt->cpu) : json_null());
	json_object_set_new(o, "spin_us",
		sw->config->spin_us == SPIN_FOREVER ? json_string("max")
						    : number(sw->config->spin_us));
	json_object_set_new(o, "loops", number(s->loops));
	json_object_set_new(o, "busy_loops", number(s->busy_loops));
	json_object_set_new(o, "frames", number(s->frames));
	json_object_set_new(o, "sleeps", number(s->sleeps));
	json_object_set_new(o, "sleep_seconds", json_real((double)s->sleep_cycles / (double)w->hz));
	for (unsigned i = 0; i < sw->n_ports; i++)
		json_array_append_new(
			queues, json_pack("{s:s, s:i}", "port", sw->port[i]->name, "queue", 0));
	json_object_set_new(o, "queues", queues);
	return o;
}

static json_t *worker_show(void *ctx, const json_t *params, struct err *err)
{
	struct sluice_switch *sw = ctx;
	json_t *out = json_array();

	for (unsigned i = 0; i < sw->n_workers; i++)
		json_array_append_new(out, describe_worker(sw, &sw->worker[i]));
	return out;
}

static json_t *version(void *ctx, const json_t *params, struct err *err)
{
	const struct sluice_switch *sw = ctx;

	return json_pack("[{s:s, s:s, s:i, s:I}]", "version", SLUICE_VERSION, "dpdk_version",
		rte_version(), "pid", (int)getpid(), "uptime_s",
		(json_int_t)(time(NULL) - sw->started));
}

const struct rpc_method switch_methods[] = {
	{ "port.list", port_show },
	{ "port.show", port_show },
	{ "port.stats", port_stats },
	{ "fdb.show", fdb_show },
	{ "worker.show", worker_show },
	{ "version", version },
	{ NULL, NULL },
};
