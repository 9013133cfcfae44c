/* SPDX-License-Identifier: BSD-3-Clause */

/* Methods that change something. Almost all of them edit the running configuration: edit.h. */
#include "switch/control/methods.h"

#include <errno.h>
#include <string.h>

#include "lib/log.h"
#include "switch/control/apply.h"
#include "switch/control/edit.h"
#include "switch/control/params.h"
#include "switch/datapath/fdb.h"

static int no_port(const char *name, struct err *err)
{
	return err_set(err, -ENOENT, "there is no port \"%.32s\"", name);
}

/* What a configuration would change, or has. Takes `changes` over; NULL if there was an error. */
static json_t *answer_changes(int ret, json_t *changes)
{
	if (ret == 0)
		return json_pack("[{s:b, s:o}]", "good", 1, "changes", changes);
	json_decref(changes);
	return NULL;
}

/* --- ports ----------------------------------------------------------------------------------- */

json_t *port_add(void *ctx, const json_t *params, struct err *err)
{
	struct sluiced_config next;
	struct port_config *port;
	int ret = edit_begin(ctx, &next, err);

	if (ret < 0)
		return NULL;
	port = sluiced_config_add_port(&next, err);
	ret = port ? port_config_decode(port, params, "", err) : -ENOSPC;
	return edit_end(ctx, &next, ret, err);
}

json_t *port_del(void *ctx, const json_t *params, struct err *err)
{
	static const struct param known[] = { { "name", PARAM_TEXT, true }, { NULL } };
	struct sluiced_config next;

	if (params_check(params, known, err) < 0 || edit_begin(ctx, &next, err) < 0)
		return NULL;
	return edit_end(
		ctx, &next, sluiced_config_del_port(&next, param_text(params, "name"), err), err);
}

json_t *port_set(void *ctx, const json_t *params, struct err *err)
{
	const char *name = param_text(params, "name");
	json_t *changes;
	struct sluiced_config next;
	const struct port_config *port;
	int ret;

	if (!name) {
		err_set(err, -EINVAL, "name: %s",
			json_object_get(params, "name") ? "must be text" : "missing");
		return NULL;
	}
	if (edit_begin(ctx, &next, err) < 0)
		return NULL;
	port = sluiced_config_port(&next, name);
	if (!port) {
		ret = no_port(name, err);
		return edit_end(ctx, &next, ret, err);
	}
	changes = json_copy((json_t *)params);
	json_object_del(changes, "name");
	ret = port_config_change(&next.ports[port - next.ports], changes, "", err);
	json_decref(changes);
	return edit_end(ctx, &next, ret, err);
}

/* --- addresses ------------------------------------------------------------------------------- */

static int read_address(const json_t *params, struct fdb_static_config *entry, struct err *err)
{
	int64_t vlan = param_int(params, "vlan", 0);
	int ret;

	memset(entry, 0, sizeof(*entry));
	ret = param_mac(params, "mac", &entry->mac, err);
	if (ret < 0)
		return ret;
	if (vlan < 0 || vlan >= VLAN_N - 1)
		return err_set(
			err, -ERANGE, "vlan: %lld is out of range (1 to 4094)", (long long)vlan);
	entry->vlan = (uint16_t)vlan;
	return 0;
}

json_t *fdb_add(void *ctx, const json_t *params, struct err *err)
{
	static const struct param known[] = { { "mac", PARAM_TEXT, true },
		{ "port", PARAM_TEXT, true }, { "vlan", PARAM_INT, false }, { NULL } };
	struct fdb_static_config entry;
	struct sluiced_config next;
	const struct port_config *port;

	if (params_check(params, known, err) < 0 || read_address(params, &entry, err) < 0)
		return NULL;
	if (edit_begin(ctx, &next, err) < 0)
		return NULL;
	port = sluiced_config_port(&next, param_text(params, "port"));
	if (!port)
		return edit_end(ctx, &next, no_port(param_text(params, "port"), err), err);
	memcpy(entry.port, port->name, sizeof(entry.port));
	return edit_end(ctx, &next, sluiced_config_add_static(&next, &entry, err), err);
}

static json_t *delete_learned(
	struct control *c, const struct fdb_static_config *entry, struct err *err)
{
	char mac[MAC_TEXT_MAX];

	mac_format(&entry->mac, mac);
	if (fdb_del(c->sw.fdb, fdb_key(entry->vlan, &entry->mac)) < 0) {
		err_set(err, -ENOENT, "%s is not in the table of VLAN %u (0: untagged)", mac,
			entry->vlan);
		return NULL;
	}
	return json_pack("[{s:s, s:s}]", "what", "address-removed", "name", mac);
}

json_t *fdb_delete(void *ctx, const json_t *params, struct err *err)
{
	static const struct param known[] = { { "mac", PARAM_TEXT, true },
		{ "vlan", PARAM_INT, false }, { NULL } };
	struct fdb_static_config entry;
	struct sluiced_config next;

	if (params_check(params, known, err) < 0 || read_address(params, &entry, err) < 0)
		return NULL;
	if (edit_begin(ctx, &next, err) < 0)
		return NULL;
	if (sluiced_config_del_static(&next, &entry.mac, entry.vlan))
		return edit_end(ctx, &next, 0, err);
	sluiced_config_free(&next);
	return delete_learned(ctx, &entry, err);
}

json_t *fdb_flush_dynamic(void *ctx, const json_t *params, struct err *err)
{
	static const struct param known[] = { { "port", PARAM_TEXT, false }, { NULL } };
	struct sluice_switch *sw = &((struct control *)ctx)->sw;
	uint16_t id = FDB_PORT_NONE;
	unsigned n;

	if (params_check(params, known, err) < 0)
		return NULL;
	if (param_text(params, "port")) {
		const struct port *p = switch_port(sw, param_text(params, "port"));

		if (!p) {
			(void)no_port(param_text(params, "port"), err);
			return NULL;
		}
		id = p->id;
	}
	n = fdb_flush(sw->fdb, id);
	return json_pack("[{s:s, s:i}]", "what", "addresses-flushed", "count", (int)n);
}

/* --- workers --------------------------------------------------------------------------------- */

/* Makes the list of workers that says where each queue is now, and changes one. */
static int reassign(struct control *c, struct port_config *config, int64_t queue, int64_t worker,
	struct err *err)
{
	const struct port *p = switch_port(&c->sw, config->name);

	if (!p || queue < 0 || queue >= p->n_queues)
		return err_set(err, -ERANGE, "port \"%s\" has no queue %lld (0 to %u)",
			config->name, (long long)queue, p ? p->n_queues - 1u : 0);
	if (worker < 0 || worker >= c->sw.workers.n)
		return err_set(err, -ERANGE, "there is no worker %lld (0 to %u)", (long long)worker,
			c->sw.workers.n - 1);
	for (unsigned q = 0; q < p->n_queues; q++)
		config->workers[q] = (uint8_t)workers_owner(&c->sw.workers, p, q);
	memset(config->workers + p->n_queues, 0, sizeof(config->workers) - p->n_queues);
	config->workers[queue] = (uint8_t)worker;
	config->n_workers = (uint8_t)p->n_queues;
	return 0;
}

json_t *worker_assign(void *ctx, const json_t *params, struct err *err)
{
	static const struct param known[] = { { "port", PARAM_TEXT, true },
		{ "queue", PARAM_INT, true }, { "worker", PARAM_INT, true }, { NULL } };
	struct sluiced_config next;
	const struct port_config *port;
	int ret;

	if (params_check(params, known, err) < 0 || edit_begin(ctx, &next, err) < 0)
		return NULL;
	port = sluiced_config_port(&next, param_text(params, "port"));
	ret = port ? reassign(ctx, &next.ports[port - next.ports], param_int(params, "queue", 0),
			     param_int(params, "worker", 0), err)
		   : no_port(param_text(params, "port"), err);
	return edit_end(ctx, &next, ret, err);
}

/* --- the rest -------------------------------------------------------------------------------- */

json_t *log_set(void *ctx, const json_t *params, struct err *err)
{
	static const struct param known[] = { { "level", PARAM_TEXT, true }, { NULL } };
	struct sluiced_config next;

	if (params_check(params, known, err) < 0 || edit_begin(ctx, &next, err) < 0)
		return NULL;
	return edit_end(ctx, &next,
		sluiced_config_set(&next, "log-level", param_text(params, "level"), err), err);
}

json_t *config_check(void *ctx, const json_t *params, struct err *err)
{
	static const struct param known[] = { { "text", PARAM_TEXT, true }, { NULL } };
	const char *text = param_text(params, "text");
	struct control *c = ctx;
	struct sluiced_config config;
	json_t *changes;
	int ret;

	if (params_check(params, known, err) < 0)
		return NULL;
	if (sluiced_config_layer(&config, text, strlen(text), "text", c->settings, err) < 0)
		return NULL;
	changes = json_array();
	ret = switch_preview(&c->sw, &config, changes, err);
	sluiced_config_free(&config);
	return answer_changes(ret, changes);
}

json_t *config_reload(void *ctx, const json_t *params, struct err *err)
{
	static const struct param known[] = { { NULL } };
	json_t *changes;

	if (params_check(params, known, err) < 0)
		return NULL;
	changes = json_array();
	return answer_changes(control_reload(ctx, changes, err), changes);
}
