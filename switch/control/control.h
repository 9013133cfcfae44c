/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The control plane of a running sluiced: the switch, where its configuration comes from, and the
 * socket on which it is asked and told things.
 *
 * Thread-safety: control thread only.
 */

#include "lib/rpc_server.h"
#include "switch/control/switch.h"

struct control {
	struct sluice_switch sw;
	struct rpc_server *server;
	const char *config_path; /* not owned, as the next */
	char *const *settings;   /* the command line's, which override the file's */
};

/*
 * Starts the switch, then the control socket. Takes over what `config` owns. On failure nothing is
 * left and *err says what it was.
 */
int control_start(
	struct control *c, struct sluiced_config *config, struct event_base *base, struct err *err);

void control_stop(struct control *c);

/*
 * Reads the file again and applies what differs; the service manager is told (sd_notify(3),
 * RELOADING=1). On failure -errno with *err set, and what ran goes on. `changes` as in apply.h.
 */
int control_reload(struct control *c, json_t *changes, struct err *err);
