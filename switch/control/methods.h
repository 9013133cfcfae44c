/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What can be asked and ordered over the control socket. Every result is an array of objects with
 * snake_case keys, named as iproute2 names them where it has the thing (ifname, operstate,
 * stats64).
 */

#include "lib/rpc_server.h"

/* The context is a struct control. */
extern const struct rpc_method control_methods[];

/* Those that look (methods_show.c). */
json_t *port_show(void *ctx, const json_t *params, struct err *err);
json_t *port_stats(void *ctx, const json_t *params, struct err *err);
json_t *fdb_show(void *ctx, const json_t *params, struct err *err);
json_t *worker_show(void *ctx, const json_t *params, struct err *err);
json_t *log_show(void *ctx, const json_t *params, struct err *err);
json_t *config_show(void *ctx, const json_t *params, struct err *err);
json_t *version_show(void *ctx, const json_t *params, struct err *err);

/* Those that change something (methods_change.c): the answer says what. */
json_t *port_add(void *ctx, const json_t *params, struct err *err);
json_t *port_del(void *ctx, const json_t *params, struct err *err);
json_t *port_set(void *ctx, const json_t *params, struct err *err);
json_t *fdb_add(void *ctx, const json_t *params, struct err *err);
json_t *fdb_delete(void *ctx, const json_t *params, struct err *err);
json_t *fdb_flush_dynamic(void *ctx, const json_t *params, struct err *err);
json_t *worker_assign(void *ctx, const json_t *params, struct err *err);
json_t *log_set(void *ctx, const json_t *params, struct err *err);
json_t *config_check(void *ctx, const json_t *params, struct err *err);
json_t *config_reload(void *ctx, const json_t *params, struct err *err);

/* Those about a pod's network (methods_pod.c). */
json_t *neighbour_show(void *ctx, const json_t *params, struct err *err);
json_t *neighbour_add(void *ctx, const json_t *params, struct err *err);
json_t *neighbour_del(void *ctx, const json_t *params, struct err *err);
json_t *binding_show(void *ctx, const json_t *params, struct err *err);
