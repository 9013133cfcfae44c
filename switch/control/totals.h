/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A port's counters of all workers together, as they are shown to people and programs. */

#include "switch/port/port.h"

struct counters totals_of(const struct port *p);

/* Frames dropped in one direction; *errors: those for which a peer or the kernel is to blame, not
 * the load. */
uint64_t totals_dropped(const struct counters *c, enum drop_direction direction, uint64_t *errors);
