/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which ports there are and which worker polls which of their queues, as the workers see it: an
 * immutable snapshot. The control thread makes a new one for every change, publishes it with one
 * store and frees the old one after a grace period (QSBR), so that ports come and go while traffic
 * flows.
 *
 * A queue that moves to another worker is in no list for one grace period: its old worker has then
 * transmitted all it took, so nothing is overtaken.
 */

#include <stdint.h>

#include "switch/datapath/pod.h"
#include "switch/datapath/vlan.h"
#include "switch/port/port.h"

struct rx_queue {
	struct port *port;
	unsigned queue;
};

/* What one worker polls. */
struct rx_list {
	unsigned n;
	struct rx_queue *queue; /* into the topology's `queues` */
};

struct topology {
	bool forward_reserved; /* 01:80:c2:00:00:0x */
	unsigned n_ports;
	struct port *port[PORT_MAX];  /* all of them, dense */
	struct port *by_id[PORT_MAX]; /* NULL where the slot is free */
	/*
	 * by_id[]'s only possible receiver, if it is the only other port and has memory to land
	 * in: frames of that port may be received straight into it.
	 */
	struct port *sole[PORT_MAX];
	/* Of by_id[]; NULL: every frame crosses as it is. `vlans`: any is not NULL. */
	const struct vlan_policy *vlan[PORT_MAX];
	bool vlans;
	struct vlan_policy *policies; /* what vlan[] points into */
	struct pod *pod;              /* NULL: the uplink, if there is one, is transparent */
	struct rx_list rx[WORKER_MAX];
	struct rx_queue queues[]; /* all of them, in the order of their workers */
};
