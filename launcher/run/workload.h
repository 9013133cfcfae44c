/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The workload as sluice-vm sees it: what it says goes to our stdout and stderr, what we are told
 * goes to it. The connection to the agent is tried until the guest is up, and again when it breaks
 * while the machine runs: the agent keeps what has not been acknowledged, so that nothing is lost
 * or said twice (lib/agent_wire.h).
 *
 * Thread-safety: main thread.
 */

#include <stdbool.h>

#include "launcher/exec/exec_client.h"
#include "lib/err.h"

struct event_base;
struct workload;

struct workload_owner {
	void (*started)(void *owner, uint32_t pid);
	/* Once. EXEC_LOST: the connection could not be had again. */
	void (*ended)(void *owner, const struct exec_end *end);
	void *owner;
};

struct workload_plan {
	const char *vsock; /* the VM's socket: CONNECT <port> */
	struct exec_streams streams;
	unsigned retry_ms; /* after it was lost, for how long it is sought again */
	struct workload_owner owner;
};

/* Begins to look for the agent, until workload_free(): how long that may take is the owner's
 * business. */
int workload_start(struct event_base *loop, const struct workload_plan *plan, struct workload **out,
	struct err *err);

/* Lost while there is no connection. */
void workload_signal(struct workload *workload, int signo);
void workload_resize(struct workload *workload, const struct agent_window *window);

/* May be NULL. */
void workload_free(struct workload *workload);
