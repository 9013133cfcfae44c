/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The control thread's part in a pod's network (datapath/pod.h): keeps the tables that workers
 * decide by in step with the configuration and with what the pod's kernel knows, and makes the
 * policy for each snapshot.
 *
 * Nothing of it exists until a configuration has an uplink that is not transparent.
 *
 * Thread-safety: control thread only.
 */

#include "config/sluiced_config.h"
#include "switch/control/kernel_net.h"
#include "switch/control/pod_voice.h"
#include "switch/datapath/pod.h"

struct sluice_switch;

struct pod_control {
	struct bindings *bindings; /* NULL: no pod yet */
	struct neigh_cache *neighbours;
	struct dhcp_clients *dhcp;
	struct kernel_net kernel;
	struct kernel_view view;
	size_t n_permanent; /* the kernel's and the configuration's, as they are in the cache */
	struct kernel_neighbour *permanent;
	struct pod_voice voice;
};

/* Before a configuration runs: opens what a pod needs, if it is one's. -errno with *err set. */
int pod_control_prepare(struct sluice_switch *sw, const struct sluiced_config *to, struct err *err);

/* sw->config is another one: looks at its uplink, before a snapshot is made of it. */
void pod_control_look(struct sluice_switch *sw);

void pod_control_stop(struct sluice_switch *sw);

/* The policy for a snapshot of sw->config and its ports, for free(). *out is NULL if it is not a
 * pod's. -ENOMEM. */
int pod_control_policy(const struct sluice_switch *sw, struct pod **out);

/* The ports or the configuration have changed, and workers see them. */
void pod_control_sync(struct sluice_switch *sw);

/* The port is closed; its guest is gone. No-ops without a pod. */
void pod_control_forget_port(struct sluice_switch *sw, uint16_t port);
void pod_control_forget_guest(struct sluice_switch *sw, uint16_t port);

/* Once a second. */
void pod_control_tick(struct sluice_switch *sw);
