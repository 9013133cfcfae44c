/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/telemetry.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_telemetry.h>

#include "switch/control/switch.h"
#include "switch/control/totals.h"
#include "switch/datapath/fdb.h"

struct port_summary {
	char name[PORT_NAME_MAX];
	const char *kind;
	struct counters totals;
};

/* What clients see. Written by the control thread, read by DPDK's, under the lock. */
struct summary {
	unsigned n_ports;
	struct port_summary port[PORT_MAX];
	unsigned n_workers;
	struct worker_stats worker[WORKER_MAX];
	uint64_t n_addresses;
	uint64_t fdb_size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct summary *summary; /* NULL: off. Never freed: DPDK's threads outlive us */

/* --- commands, on DPDK's threads ------------------------------------------------------------- */

static int port_list(const char *cmd, const char *params, struct rte_tel_data *d)
{
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < summary->n_ports; i++)
		rte_tel_data_add_array_string(d, summary->port[i].name);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void add_way(struct rte_tel_data *d, const struct counters *c, const char *prefix,
	const struct counters_way *way, enum drop_direction direction)
{
	uint64_t errors, dropped = totals_dropped(c, direction, &errors);
	const struct {
		const char *name;
		uint64_t value;
	} fields[] = { { "packets", way->packets }, { "bytes", way->bytes },
		{ "super_frames", way->super_frames }, { "dropped", dropped },
		{ "errors", errors } };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		char name[RTE_TEL_MAX_STRING_LEN];

		snprintf(name, sizeof(name), "%s_%s", prefix, fields[i].name);
		rte_tel_data_add_dict_u64(d, name, fields[i].value);
	}
}

static int port_stats(const char *cmd, const char *params, struct rte_tel_data *d)
{
	int ret = -EINVAL;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; params && i < summary->n_ports; i++) {
		const struct port_summary *p = &summary->port[i];

		if (strcmp(p->name, params) != 0)
			continue;
		rte_tel_data_start_dict(d);
		rte_tel_data_add_dict_string(d, "kind", p->kind);
		add_way(d, &p->totals, "rx", &p->totals.rx, DROP_RX);
		add_way(d, &p->totals, "tx", &p->totals.tx, DROP_TX);
		ret = 0;
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

static void add_worker(struct rte_tel_data *d, unsigned id, const struct worker_stats *s)
{
	struct rte_tel_data *w = rte_tel_data_alloc();
	char name[16];

	if (!w)
		return;
	rte_tel_data_start_dict(w);
	rte_tel_data_add_dict_u64(w, "loops", s->loops);
	rte_tel_data_add_dict_u64(w, "busy_loops", s->busy_loops);
	rte_tel_data_add_dict_u64(w, "frames", s->frames);
	rte_tel_data_add_dict_u64(w, "sleeps", s->sleeps);
	snprintf(name, sizeof(name), "%u", id);
	if (rte_tel_data_add_dict_container(d, name, w, 0) < 0)
		rte_tel_data_free(w);
}

static int worker_list(const char *cmd, const char *params, struct rte_tel_data *d)
{
	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < summary->n_workers; i++)
		add_worker(d, i, &summary->worker[i]);
	pthread_mutex_unlock(&lock);
	return 0;
}

static int fdb(const char *cmd, const char *params, struct rte_tel_data *d)
{
	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&lock);
	rte_tel_data_add_dict_u64(d, "addresses", summary->n_addresses);
	rte_tel_data_add_dict_u64(d, "size", summary->fdb_size);
	pthread_mutex_unlock(&lock);
	return 0;
}

/* --- control thread -------------------------------------------------------------------------- */

int telemetry_start(struct err *err)
{
	static const struct {
		const char *command;
		telemetry_cb answer;
		const char *help;
	} commands[] = {
		{ "/sluice/port/list", port_list, "Names of the switch's ports" },
		{ "/sluice/port/stats", port_stats, "Counters of a port. Parameter: its name" },
		{ "/sluice/worker/list", worker_list, "How busy each worker is" },
		{ "/sluice/fdb", fdb, "Addresses in the forwarding table" },
	};

	summary = calloc(1, sizeof(*summary));
	if (!summary)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int ret = rte_telemetry_register_cmd(
			commands[i].command, commands[i].answer, commands[i].help);

		if (ret < 0)
			return err_errno(
				err, -ret, "telemetry: cannot register %s", commands[i].command);
	}
	return 0;
}

void telemetry_update(const struct sluice_switch *sw)
{
	if (!summary)
		return;
	pthread_mutex_lock(&lock);
	summary->n_ports = sw->n_ports;
	for (unsigned i = 0; i < sw->n_ports; i++) {
		struct port_summary *p = &summary->port[i];

		memcpy(p->name, sw->port[i]->name, sizeof(p->name));
		p->kind = sw->port[i]->ops->kind;
		p->totals = totals_of(sw->port[i]);
	}
	summary->n_workers = sw->workers.n;
	for (unsigned i = 0; i < sw->workers.n; i++)
		summary->worker[i] = worker_stats(sw->workers.thread[i].worker);
	summary->n_addresses = fdb_n_entries(sw->fdb);
	summary->fdb_size = sw->config.fdb_size;
	pthread_mutex_unlock(&lock);
}
