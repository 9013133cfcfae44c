/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/totals.h"

struct counters totals_of(const struct port *p)
{
	struct counters sum = { 0 };
	uint64_t *to = (uint64_t *)&sum;

	for (unsigned w = 0; w <= WORKER_MAX; w++) {
		const uint64_t *from = (const uint64_t *)&p->counters[w];

		for (size_t i = 0; i < sizeof(sum) / sizeof(*to); i++)
			to[i] += counter_read(&from[i]);
	}
	return sum;
}

static const bool is_error[DROP_N_REASONS] = {
	[DROP_RUNT] = true,
	[DROP_TOO_LONG] = true,
	[DROP_BAD_OFFLOAD] = true,
	[DROP_CHAIN_TOO_LONG] = true,
	[DROP_BAD_DESCRIPTOR] = true,
	[DROP_LANDING_LOST] = true,
	[DROP_BUFFER_BAD] = true,
	[DROP_BUFFER_PIECES] = true,
	[DROP_REFUSED] = true,
	[DROP_MEMORY_GONE] = true,
	[DROP_TRUNCATED] = true,
	[DROP_SIZES_LOST] = true,
};

uint64_t totals_dropped(const struct counters *c, enum drop_direction direction, uint64_t *errors)
{
	uint64_t dropped = 0;

	*errors = 0;
	for (unsigned i = 0; i < DROP_N_REASONS; i++) {
		if (drop_info[i].direction != direction)
			continue;
		dropped += c->drop[i];
		*errors += is_error[i] ? c->drop[i] : 0;
	}
	return dropped;
}
