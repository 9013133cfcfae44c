/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Summaries for DPDK's telemetry socket (dpdk-telemetry.py, collectd, Telegraf), below /sluice:
 *
 *   /sluice/port/list            names
 *   /sluice/port/stats,NAME      packets, bytes, super-frames, drops
 *   /sluice/worker/list          how busy each worker is
 *   /sluice/fdb                  addresses in the table
 *
 * DPDK asks from threads of its own, one for each client, so they are answered from a copy that the
 * control thread makes once a second. Nothing is registered unless the setting `telemetry` is on.
 */

#include "lib/err.h"

struct sluice_switch;

/* Registers the commands; the first summary is all zero. */
int telemetry_start(struct err *err);

/* Control thread, once a second. Does nothing before telemetry_start(). */
void telemetry_update(const struct sluice_switch *sw);
