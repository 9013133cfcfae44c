/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/cli/command.h"
#include "switch/cli/field.h"

void version_print(const json_t *version, FILE *out)
{
	const json_t *daemon = json_array_get(version, 0);
	long long uptime_s = field_int(daemon, "uptime_s");

	fprintf(out, "sluicectl %s\n", SLUICE_VERSION);
	fprintf(out, "sluiced %s (%s), pid %lld, up %lldh %02lldm %02llds\n",
		field_text(daemon, "version", "?"), field_text(daemon, "dpdk_version", "DPDK ?"),
		field_int(daemon, "pid"), uptime_s / 3600, uptime_s / 60 % 60, uptime_s % 60);
}
