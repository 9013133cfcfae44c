/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A program of ours that serves the VM for as long as it lives: sluiced, sluice-vsock. It says that
 * it is ready as services of systemd do (READY=1 to NOTIFY_SOCKET, sd_notify(3)).
 *
 * Thread-safety: main thread.
 */

#include <stdbool.h>

#include "launcher/process/child.h"
#include "launcher/process/keeper.h"
#include "lib/err.h"

struct service_plan {
	const char *name;
	char *const *argv; /* argv[0] is the program, as child_plan.program */
	const char *notify_path;
	uint64_t capabilities; /* as child_plan.capabilities */
	int log;               /* gets its stdout and stderr */
	/* When it ends, ready or not: "exit status 1". */
	void (*ended)(void *owner, const char *how);
	void *owner;
};

struct service {
	struct child *child; /* NULL: it does not run */
	int notify;
	struct event *notified;
	bool ready;
	void (*ended)(void *owner, const char *how);
	void *owner;
};

/* Starts it: `ready` becomes true some time later. *service must stay where it is. */
int service_start(struct event_base *loop, struct keeper *keeper, const struct service_plan *plan,
	struct service *service, struct err *err);

/*
 * SIGTERM, up to `grace_ms` for an orderly end, then SIGKILL; `ended` is not called. One that was
 * never started is left alone (a zeroed one).
 */
void service_stop(struct event_base *loop, struct service *service, unsigned grace_ms);
