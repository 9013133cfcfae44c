/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/forward/pod_ports.h"

#include "lib/listening.h"

struct look {
	struct pod_ports *ports;
	pod_ports_is_ours *is_ours;
	const void *owner;
};

static void add(void *arg, const struct listening *one)
{
	const struct look *look = arg;

	if (!look->is_ours(look->owner, &one->address, one->port))
		look->ports->seen[one->port / 8] |= (uint8_t)(1U << one->port % 8);
}

int pod_ports_look(struct pod_ports *ports, pod_ports_is_ours *is_ours, const void *owner)
{
	struct look look = { ports, is_ours, owner };

	return listening_each(add, &look);
}

bool pod_ports_has(const struct pod_ports *ports, uint16_t port)
{
	return (ports->seen[port / 8] >> port % 8 & 1) != 0;
}
