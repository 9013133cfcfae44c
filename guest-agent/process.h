/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A process that the agent has started, and the bytes to and from it. To whom they go is its
 * owner's business: a client of an exec, or whoever is attached to the workload.
 *
 * Output is read into two rings for as long as they have room; a process whose output nobody takes
 * blocks, as on a pipe. It has ended when it has been reaped and its output has been read: to the
 * end, or as far as there is some, if a grandchild still holds the other end and may do so for
 * ever. (A terminal's driver hands on what was written before the reader learns that there is no
 * more, so that holds there too.) With a terminal there is but one output, and closing its input
 * means VEOF.
 *
 * Each process leads a session. If its client goes, that session is ended: SIGHUP, as when a
 * terminal is closed, then SIGKILL for what is left of it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/resource.h>

#include "guest-agent/byte_ring.h"
#include "guest-agent/reaper.h"
#include "guest-agent/spawn.h"
#include "lib/agent_wire.h"
#include "lib/err.h"

struct event;
struct event_base;
struct evbuffer;
struct process;

/* What all processes of an agent share. */
struct process_host {
	struct event_base *loop;
	struct reaper *reaper;
	int own_pid_ns;
	struct rlimit nofile; /* what processes get, not what the agent has */
	uint64_t ignored;     /* signals: by the agent, not by processes; 1 is bit 0 */
	LIST_HEAD(, process) processes;
	unsigned n_processes; /* also those that are being ended */
	struct event *on_hang_up;
};

/* Called from the event loop. */
struct process_owner {
	void (*started)(void *owner, uint32_t pid);
	/* It has not been executed. The owner lets go of it. */
	void (*failed)(void *owner, uint32_t status, const char *text);
	/* There is more output. */
	void (*output)(void *owner);
	/* So many bytes of input have been written, or thrown away because nobody reads them. Also
	 * called from process_input(). */
	void (*input_taken)(void *owner, size_t n);
	/* It has ended, its last output is in the rings. May let go of it. */
	void (*ended)(void *owner, const struct agent_exit *ex);
};

enum { PROCESS_STDOUT, PROCESS_STDERR, PROCESS_N_OUTPUTS };

int process_host_init(struct process_host *host, struct event_base *loop, struct err *err);

/* Kills all processes and waits for them. */
void process_host_close(struct process_host *host);

/* Not started yet: what it is told meanwhile is kept. NULL: out of memory. */
struct process *process_new(struct process_host *host, size_t output_size,
	const struct process_owner *ops, void *owner);

/* Fills in what *plan needs of the host. The plan is borrowed for the call. */
int process_start(struct process *process, struct spawn_plan *plan, struct err *err);

pid_t process_pid(const struct process *process); /* in the agent's namespace */

/* Moves `len` bytes from the front of `in`; no more than AGENT_WIRE_STDIN_WINDOW in all may wait.
 */
void process_input(struct process *process, struct evbuffer *in, size_t len);
size_t process_input_len(const struct process *process); /* what waits */
void process_input_close(struct process *process);       /* behind what waits */

const struct byte_ring *process_output(const struct process *process, int stream);
void process_output_release(struct process *process, int stream, uint64_t upto);

/*
 * To the process alone (`alone`), as to a container's; or as a terminal does: to the group in its
 * foreground, and without one to the group that it leads. Once it has ended, to nobody.
 */
void process_signal(struct process *process, int signo, bool alone);
void process_resize(struct process *process, const struct agent_window *window);

/* Its owner wants to know no more of it: it may be gone when this returns. */
void process_let_go(struct process *process);  /* it has ended, or not begun */
void process_hang_up(struct process *process); /* its client has gone */
