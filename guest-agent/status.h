/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What STATUS answers, an object:
 *
 *   version      of Sluice: "0.1.0"
 *   uptimeMs     since the guest's kernel was started
 *   workload     { state: "open" (not known yet), "starting", "running", "ended", "none",
 *                  code or signal: how it ended, reason: why there is none }
 *   processes, clients, forwards
 *                how many there are: started by the agent, connections, forwarded streams
 *   mounts       [ { destination, kind, source } ], as the workload sees them
 *   addresses    [ { interface, address, prefix } ]
 *   listening    [ { address, port } ], TCP
 *   truncated    true: mounts, listening or addresses were left out, all would be too long
 *
 * and the members that the agent's owner has put beside them (boot times).
 */

#include <jansson.h>

struct agent;

/* A text to be freed, of at most AGENT_WIRE_DATA_MAX bytes; NULL: no memory. */
char *status_text(const struct agent *agent);

/* Its parts that are read from the kernel: a new array, empty if that cannot be. */
json_t *status_mounts(const char *mountinfo_path);
json_t *status_addresses(void);
json_t *status_listening(void);
