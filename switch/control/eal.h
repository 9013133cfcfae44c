/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * DPDK's environment layer, started for what we use of it: the heap that its hash table lives in,
 * grace periods, the calibrated time stamp counter. No hugepages, no PCI, no files, no thread of
 * its own that would move packets: our workers are ours (worker_thread.h).
 */

#include <stdbool.h>

#include "lib/err.h"

/*
 * Call once, before any thread exists. `heap_mb`: memory for DPDK's heap, touched as it is used.
 * `telemetry`: serve DPDK's telemetry socket, /var/run/dpdk/sluice/dpdk_telemetry.v2.
 */
int eal_start(unsigned heap_mb, bool telemetry, struct err *err);

void eal_stop(void);
