/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/eal.h"

#include <sched.h>
#include <stdio.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "switch/port/dpdk_log.h"

/*
 * One logical core that floats over all CPUs we may use: EAL would otherwise pin the control
 * thread to the first.
 */
static int float_main_core(char *out, size_t len)
{
	size_t used = (size_t)snprintf(out, len, "--lcores=0@(");
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE && used < len; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			used += (size_t)snprintf(out + used, len - used, "%d,", cpu);
	if (used >= len)
		return -1;
	out[used - 1] = ')';
	return 0;
}

int eal_start(unsigned heap_mb, bool telemetry, struct err *err)
{
	char lcores[4096] = "--lcores=0", heap[32];
	const char *argv[] = { "sluiced", lcores, "--no-huge", "-m", heap, "--no-pci",
		"--no-shconf", "--file-prefix=sluice", "--log-level=lib.eal:error",
		"--log-level=lib.hash:critical", "--log-level=lib.telemetry:error",
		"--log-level=lib.vhost*:error", "--log-level=pmd*:error",
		telemetry ? NULL : "--no-telemetry", NULL };
	int argc = sizeof(argv) / sizeof(argv[0]) - 1 - telemetry;

	if (dpdk_log_start(err) < 0)
		return -1;
	if (float_main_core(lcores, sizeof(lcores)) < 0)
		snprintf(lcores, sizeof(lcores), "--lcores=0");
	snprintf(heap, sizeof(heap), "%u", heap_mb);
	if (rte_eal_init(argc, (char **)argv) < 0)
		return err_errno(err, rte_errno, "cannot start DPDK's environment layer");
	return 0;
}

void eal_stop(void)
{
	(void)rte_eal_cleanup();
}
