/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which ports there are, as the workers see it: an immutable snapshot. The control thread makes a
 * new one for every change, publishes it with one store and frees the old one after a grace period
 * (QSBR), so that ports come and go while traffic flows.
 */

#include <stdint.h>

#include "switch/port/port.h"

struct topology {
	unsigned n_ports;
	struct port *port[PORT_MAX];  /* all of them, dense */
	struct port *by_id[PORT_MAX]; /* NULL where the slot is free */
	/*
	 * by_id[]'s only possible receiver, if it is the only other port and has memory to land
	 * in: frames of that port may be received straight into it.
	 */
	struct port *sole[PORT_MAX];
};
