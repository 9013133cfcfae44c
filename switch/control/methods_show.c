/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/methods.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <rte_version.h>

#include "switch/control/apply.h"
#include "switch/control/control.h"
#include "switch/control/params.h"
#include "switch/control/totals.h"
#include "switch/datapath/fdb.h"

static const struct param no_params[] = { { NULL } };

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* An array of what `describe` says about the port named in params, or about all. */
static json_t *each_port(struct sluice_switch *sw, const json_t *params,
	json_t *(*describe)(struct sluice_switch *sw, struct port *p), struct err *err)
{
	static const struct param known[] = { { "name", PARAM_TEXT, false }, { NULL } };
	const struct port *only = NULL;
	const char *name = param_text(params, "name");
	json_t *out;

	if (params_check(params, known, err) < 0)
		return NULL;
	if (name && !(only = switch_port(sw, name))) {
		err_set(err, -ENOENT, "there is no port \"%.32s\"", name);
		return NULL;
	}
	out = json_array();
	for (unsigned i = 0; i < sw->n_ports; i++)
		if (!only || sw->port[i] == only)
			json_array_append_new(out, describe(sw, sw->port[i]));
	return out;
}

/* The switch's own settings of a port, as the file has them, and who serves its queues. */
static void add_policy(const struct sluice_switch *sw, const struct port *p, json_t *o)
{
	static const struct {
		const char *key, *name;
	} rows[] = {
		{ "vlan", "vlan" },
		{ "trunks", "trunks" },
		{ "mac-limit", "mac_limit" },
		{ "role", "role" },
		{ "mac-mode", "mac_mode" },
		{ "neighbours", "neighbours" },
		{ "kernel-ports", "kernel_ports" },
		{ "addresses", "addresses" },
		{ "services", "services" },
		{ "anti-spoof", "anti_spoof" },
	};
	const struct port_config *config = switch_port_config(sw, p->name);
	json_t *all = config ? port_config_encode(config) : NULL, *workers = json_array();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (json_object_get(all, rows[i].key))
			json_object_set(o, rows[i].name, json_object_get(all, rows[i].key));
	json_decref(all);
	for (unsigned q = 0; q < p->n_queues; q++)
		json_array_append_new(workers, number(workers_owner(&sw->workers, p, q)));
	json_object_set_new(o, "workers", workers);
}

static json_t *describe_port(struct sluice_switch *sw, struct port *p)
{
	json_t *o = json_pack(
		"{s:s, s:i, s:s}", "ifname", p->name, "ifindex", p->id, "kind", p->ops->kind);

	p->ops->status(p, o);
	add_policy(sw, p, o);
	return o;
}

json_t *port_show(void *ctx, const json_t *params, struct err *err)
{
	return each_port(&((struct control *)ctx)->sw, params, describe_port, err);
}

/* `dropped` counts all drops of this direction, `errors` those of them that are errors. */
static json_t *describe_way(
	const struct counters *c, const struct counters_way *way, enum drop_direction direction)
{
	uint64_t errors, dropped = totals_dropped(c, direction, &errors);
	json_t *o = json_object();

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

/* What the port's stations did to the forwarding table. */
static json_t *describe_addresses(const struct sluice_switch *sw, const struct port *p)
{
	struct fdb_port_stats s;

	fdb_port_stats(sw->fdb, p->id, &s);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "learned_now",
		(json_int_t)s.n_entries, "static_now", (json_int_t)s.n_static, "learned",
		(json_int_t)s.n_learned, "moved", (json_int_t)s.n_moved, "evicted",
		(json_int_t)s.n_evicted, "refused", (json_int_t)s.n_refused, "held",
		(json_int_t)s.n_held, "static_conflicts", (json_int_t)s.n_static_conflicts);
}

static json_t *describe_stats(struct sluice_switch *sw, struct port *p)
{
	struct counters c = totals_of(p);
	json_t *o = json_pack("{s:s, s:{s:o, s:o}}", "ifname", p->name, "stats64", "rx",
		describe_way(&c, &c.rx, DROP_RX), "tx", describe_way(&c, &c.tx, DROP_TX));

	json_object_set_new(o, "segmented", number(c.segmented));
	json_object_set_new(o, "checksummed", number(c.checksummed));
	json_object_set_new(o, "landed", number(c.landed));
	json_object_set_new(o, "wakeups", number(c.wakeups));
	json_object_set_new(o, "drop_reasons", describe_drops(&c));
	json_object_set_new(o, "addresses", describe_addresses(sw, p));
	if (p->ops->stats)
		p->ops->stats(p, o);
	return o;
}

json_t *port_stats(void *ctx, const json_t *params, struct err *err)
{
	return each_port(&((struct control *)ctx)->sw, params, describe_stats, err);
}

static json_t *describe_row(const struct sluice_switch *sw, const struct fdb_row *row)
{
	int32_t age = row->is_static ? 0 : (int32_t)(switch_now_s(sw) - row->seen_s);
	const struct port *p = row->port < PORT_MAX ? sw->topology->by_id[row->port] : NULL;
	char mac[MAC_TEXT_MAX];

	return json_pack("{s:s, s:i, s:s, s:[], s:i, s:s}", "mac", mac_format(&row->mac, mac),
		"vlan", row->vlan, "ifname", p ? p->name : "?", "flags", "age", age > 0 ? age : 0,
		"state", row->is_static ? "static" : "learned");
}

json_t *fdb_show(void *ctx, const json_t *params, struct err *err)
{
	struct sluice_switch *sw = &((struct control *)ctx)->sw;
	json_t *out;
	uint32_t cursor = 0;
	struct fdb_row row;

	if (params_check(params, no_params, err) < 0)
		return NULL;
	out = json_array();
	while (fdb_next(sw->fdb, &cursor, &row))
		json_array_append_new(out, describe_row(sw, &row));
	return out;
}

static json_t *describe_worker(const struct sluice_switch *sw, const struct worker_thread *wt)
{
	const struct worker *w = wt->worker;
	const struct worker_stats s = worker_stats(w);
	json_t *o = json_object(), *queues = json_array();

	json_object_set_new(o, "worker", number(w->id));
	json_object_set_new(o, "cpu", wt->cpu >= 0 ? json_integer(wt->cpu) : json_null());
	json_object_set_new(o, "spin_us",
		sw->config.spin_us == SPIN_FOREVER ? json_string("max")
						   : number(sw->config.spin_us));
	json_object_set_new(o, "loops", number(s.loops));
	json_object_set_new(o, "busy_loops", number(s.busy_loops));
	json_object_set_new(o, "frames", number(s.frames));
	json_object_set_new(o, "sleeps", number(s.sleeps));
	json_object_set_new(o, "sleep_seconds", json_real((double)s.sleep_cycles / (double)w->hz));
	for (size_t i = 0; i < sw->workers.n_owners; i++) {
		const struct queue_owner *q = &sw->workers.owner[i];

		if (q->worker == w->id)
			json_array_append_new(queues, json_pack("{s:s, s:i}", "port", q->port->name,
							      "queue", (int)q->queue));
	}
	json_object_set_new(o, "queues", queues);
	return o;
}

json_t *worker_show(void *ctx, const json_t *params, struct err *err)
{
	struct sluice_switch *sw = &((struct control *)ctx)->sw;
	json_t *out;

	if (params_check(params, no_params, err) < 0)
		return NULL;
	out = json_array();
	for (unsigned i = 0; i < sw->workers.n; i++)
		json_array_append_new(out, describe_worker(sw, &sw->workers.thread[i]));
	return out;
}

json_t *version_show(void *ctx, const json_t *params, struct err *err)
{
	struct sluice_switch *sw = &((struct control *)ctx)->sw;

	if (params_check(params, no_params, err) < 0)
		return NULL;
	return json_pack("[{s:s, s:s, s:i, s:I}]", "version", SLUICE_VERSION, "dpdk_version",
		rte_version(), "pid", (int)getpid(), "uptime_s",
		(json_int_t)(time(NULL) - sw->started));
}

json_t *log_show(void *ctx, const json_t *params, struct err *err)
{
	const struct sluiced_config *config = &((struct control *)ctx)->sw.config;
	json_t *all, *out;

	if (params_check(params, no_params, err) < 0)
		return NULL;
	all = sluiced_config_encode(config);
	out = json_pack("[{s:O, s:O}]", "level", json_object_get(all, "log-level"), "format",
		json_object_get(all, "log-format"));
	json_decref(all);
	return out;
}

json_t *config_show(void *ctx, const json_t *params, struct err *err)
{
	if (params_check(params, no_params, err) < 0)
		return NULL;
	return json_pack("[o]", sluiced_config_encode(&((struct control *)ctx)->sw.config));
}
