/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/methods.h"

/* Those who ask are told of every event from then on. */
static json_t *events(void *ctx, const json_t *params, struct err *err)
{
	return json_array();
}

const struct rpc_method control_methods[] = {
	{ "port.list", port_show },
	{ "port.show", port_show },
	{ "port.stats", port_stats },
	{ "port.add", port_add },
	{ "port.del", port_del },
	{ "port.set", port_set },
	{ "fdb.show", fdb_show },
	{ "fdb.add", fdb_add },
	{ "fdb.del", fdb_delete },
	{ "fdb.flush", fdb_flush_dynamic },
	{ "neighbour.show", neighbour_show },
	{ "neighbour.add", neighbour_add },
	{ "neighbour.del", neighbour_del },
	{ "binding.show", binding_show },
	{ "worker.show", worker_show },
	{ "worker.assign", worker_assign },
	{ "log.show", log_show },
	{ "log.set", log_set },
	{ "config.show", config_show },
	{ "config.check", config_check },
	{ "config.reload", config_reload },
	{ "events", events, .follows = true },
	{ "version", version_show },
	{ NULL, NULL },
};
