/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which worker shall own which queue: the one that the port's `workers` names, or else the one that
 * has it; a queue that nobody has goes to the worker with the fewest. When the number of workers
 * changes, queues that are free to move are shared out evenly again.
 *
 * A queue changes hands in two steps with a published snapshot after each (topology.h):
 *
 *   balance_release()   it belongs to nobody
 *   balance_hand_out()  it belongs to its new owner
 *
 * Thread-safety: control thread only.
 */

#include <stdbool.h>

#include "switch/control/switch.h"

/*
 * Takes queues away from owners that shall not keep them. True if any was: then publish before they
 * are handed out. `spread`: the number of workers has changed.
 */
bool balance_release(struct sluice_switch *sw, bool spread);

/* Undoes balance_release(), which could not be published. */
void balance_take_back(struct sluice_switch *sw);

/* Gives every queue that belongs to nobody, new ones too, to a worker. */
void balance_hand_out(struct sluice_switch *sw);
