/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Starts a process in the guest.
 *
 * The new process prepares itself (spawn_child.h): namespaces, root, terminal, user. What comes of
 * it is told over the report, a socket that execve(2) closes: messages up to its end. So nobody
 * waits for anybody here, and "it runs" means that the program has been executed.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "config/process_spec.h"
#include "lib/err.h"

/* Where the workload lives, as descriptors. */
struct spawn_place {
	int pid_ns, mount_ns, root;
};

struct spawn_plan {
	const struct process_spec *spec; /* with cwd and user set */
	char *const *argv, *const *env;
	int own_pid_ns; /* descriptor of the caller's PID namespace */

	const struct spawn_place *place; /* to be joined; NULL: a new mount namespace */
	const char *root;                /* what becomes its root */
	bool as_init;                    /* a new PID namespace as well, as its PID 1 */

	struct rlimit nofile; /* RLIMIT_NOFILE, unless the spec has it */
	uint64_t ignored;     /* the signals that the caller ignores, 1 is bit 0: it does not */
};

/* The agent's ends, all non-blocking; -1: with a terminal, which comes with the report. */
struct spawned {
	pid_t pid; /* in the agent's namespace */
	int report;
	int in, out, err;
};

enum spawn_news_kind {
	SPAWN_PID,      /* value: its process ID in its own namespace */
	SPAWN_TERMINAL, /* fd: the terminal's master, non-blocking */
	SPAWN_FAILED,   /* value: exit status, 126 or 127; text: why */
	SPAWN_END       /* the last: it has been executed unless it failed, or has been killed */
};

struct spawn_message {
	uint32_t kind, value;
	char text[ERR_TEXT_MAX];
};

struct spawn_news {
	struct spawn_message message;
	int fd; /* SPAWN_TERMINAL: the receiver's; otherwise -1 */
};

int spawn(const struct spawn_plan *plan, struct spawned *out, struct err *err);

/* The next of the report; -EAGAIN: not yet. An error of the socket is its end. */
int spawn_report_next(int report, struct spawn_news *news);
