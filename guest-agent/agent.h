/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The agent's core: it runs processes in the guest and serves the clients that lib/agent_wire.h
 * and agent_forward.h and lib/port_report.h describe. What a machine needs before that (mounts,
 * modules, network) and after it (power) belongs to who creates it: init, or a plain service.
 *
 * The workload is PID 1 of a PID and a mount namespace of its own. There, `root` becomes "/" (the
 * caller's own root stays: an initramfs cannot be pivoted), and the core mounts what belongs to
 * these namespaces: /proc and /dev/pts anew; and if nothing is mounted there yet, /sys, /dev
 * (devtmpfs), /dev/shm, /dev/mqueue and, if the kernel has it, cgroup2 on /sys/fs/cgroup. With root
 * "/" these are only /proc and /dev/pts. All else (volumes, /etc/resolv.conf) is mounted below
 * `root` before agent_start_workload(), and the workload's namespace begins as a private copy.
 *
 * An exec joins both namespaces. As long as it is open whether there will be a workload, ATTACH and
 * START wait for agent_start_workload() or agent_set_failure(); after the latter ATTACH gets ERROR,
 * and an exec runs in `root` with mounts of its own, so that a guest can be looked into.
 *
 * As PID 1 or as a subreaper the caller gets orphans: the core reaps every child of the process
 * (SIGCHLD through the loop, waitpid(-1)), so the caller waits for none while the agent exists.
 * Descriptors 0 to 2 of the process must be open (/dev/null will do), /proc mounted, and SIGPIPE is
 * ignored from agent_create() on.
 *
 * Thread-safety: of one thread and its event loop, in a process that has no other threads.
 */

#include <jansson.h>

#include "config/process_spec.h"
#include "lib/agent_wire.h"
#include "lib/err.h"

struct agent;
struct event_base;

struct agent_plan {
	const char *root; /* the workload's root, absolute: "/newroot", or "/" of a service */

	/* NULL: AF_VSOCK, for the host alone (CID 2). Otherwise a directory, in which the unix
	 * sockets "agent", "forward" and "ports" are made instead of the ports; for root and us. */
	const char *socket_dir;

	/* Called from the event loop; each may be NULL. They may not free the agent. */

	/* A client asked for it and has been served: the machine is to be turned off. */
	void (*poweroff)(void *owner);
	/* The workload has ended, and a client got all its output and EXIT. Never if nobody
	 * attaches any more, or if it could not be executed: ATTACH then says why. */
	void (*workload_ended)(void *owner, const struct agent_exit *ex);
	/* An object whose members go into STATUS beside the core's own (status.h); NULL: none. */
	json_t *(*status)(void *owner);
	void *owner;
};

/* *plan's strings are copied. Listens from here on; clients are served when the loop runs. */
int agent_create(struct event_base *loop, const struct agent_plan *plan, struct agent **out,
	struct err *err);

/*
 * Once. `spec` is borrowed until agent_free(), the vectors (at least one argument, ended by NULL)
 * for the call. An error here is one of resources; that the program is missing, say, is found by
 * the new process: clients are told.
 */
int agent_start_workload(struct agent *agent, const struct process_spec *spec, char *const *argv,
	char *const *env, struct err *err);

/*
 * Once, before the workload is started: TCP ports of the pod's, on loopback here (host_ports.h).
 * `ports` is borrowed until agent_free().
 */
int agent_share_ports(struct agent *agent, const uint16_t *ports, size_t n, struct err *err);

/* There will be no workload: ATTACH is answered with this status of AGENT_ERROR and this one line
 * ("mount /data: ...", or "no entrypoint found"). */
void agent_set_failure(struct agent *agent, uint32_t status, const char *text);

/* Kills every process that the core has started, closes its sockets. May be NULL. */
void agent_free(struct agent *agent);
