/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Sets up the guest's network as a machine spec has it. Idempotent: what the interfaces had is
 * flushed first (addresses, routes, rules but the kernel's own three, neighbours), everything is
 * then added or replaced, so that running it again changes nothing, and running it with another
 * spec leaves nothing of the first.
 */

#include "config/machine_net.h"
#include "lib/err.h"

/*
 * In the network namespace of the calling thread. Waits up to `wait_ms` for as many Ethernet
 * devices as the spec has. A part that the kernel refuses is an error that names it ("route default
 * via 169.254.1.1 dev eth0: No route to host"); what came before stays.
 */
int net_apply(const struct machine_net *net, unsigned wait_ms, struct err *err);
