/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The workload: the process that the machine is there for. It belongs to the agent; clients come
 * and go, each attached at the offsets up to which it has the output. What it has not acknowledged
 * is kept, in rings, and the workload waits when they are full.
 */

#include "config/process_spec.h"
#include "guest-agent/client.h"
#include "guest-agent/process.h"

struct agent;
struct attachment;
struct evbuffer;

#define WORKLOAD_OUTPUT_SIZE (1U << 20) /* of each stream */

enum workload_state {
	WORKLOAD_OPEN,     /* not known yet whether there will be one */
	WORKLOAD_STARTING, /* forked, not executed */
	WORKLOAD_RUNNING,
	WORKLOAD_ENDED,
	WORKLOAD_NONE, /* it could not be started: status, why */
};

/* Somebody who waits until it is known what becomes of the workload. */
struct workload_waiter {
	LIST_ENTRY(workload_waiter) link;
	void (*go)(struct workload_waiter *waiter); /* it waits no more */
};

struct workload {
	struct agent *agent;
	enum workload_state state;
	const struct process_spec *spec; /* NULL: there is none */
	struct process *process;         /* NULL: OPEN or NONE */
	struct spawn_place place;        /* RUNNING; -1: not to be had */
	uint32_t inner_pid;
	struct agent_exit ex; /* ENDED */
	bool is_told;         /* a client has been told all, and so has the agent's owner */
	uint32_t status;
	char why[ERR_TEXT_MAX];
	struct attachment *attached; /* the last one, or NULL */
	LIST_HEAD(, workload_waiter) waiters;
};

void workload_init(struct workload *workload, struct agent *agent);
int workload_start(struct workload *workload, const struct process_spec *spec, char *const *argv,
	char *const *env, struct err *err);
void workload_fail(struct workload *workload, uint32_t status, const char *why);
void workload_free(struct workload *workload); /* without its process: that is the host's */

/* "open", "starting", "running", "ended", "none". */
const char *workload_state_name(enum workload_state state);

bool workload_is_decided(const struct workload *workload);
void workload_wait(struct workload *workload, struct workload_waiter *waiter);

/* ATTACH has come, with this payload. */
int workload_attach(struct workload *workload, struct client *client, struct evbuffer *in,
	uint32_t len, struct err *err);
