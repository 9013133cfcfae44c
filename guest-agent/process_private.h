/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What process.c (its life), process_io.c (its bytes) and process_hang_up.c (its client has gone)
 * share. */

#include "guest-agent/process.h"

struct event;

struct process_stream {
	struct process *process;
	int fd; /* -1: not yet, or no more; a terminal's is the process's */
	struct event *event;
	struct byte_ring ring;
};

struct process {
	LIST_ENTRY(process) link;
	struct process_host *host;
	const struct process_owner *ops; /* NULL: nobody is interested any more */
	void *owner;

	struct watched_child child;
	int report;
	struct event *on_report;
	struct spawned spawned; /* the ends, until it has been executed */
	int terminal;           /* -1: none */
	bool wants_terminal;
	uint32_t inner_pid; /* 0: not told yet */
	uint32_t failure;   /* 126 or 127: it has not been executed, and why: */
	char why[ERR_TEXT_MAX];

	bool is_forked, is_executed, is_reaped, is_told;
	int status; /* of waitpid(2), once it has been reaped */

	struct process_stream in;
	struct process_stream out[PROCESS_N_OUTPUTS];
	bool in_closes, in_closed; /* behind what waits; done */
	uint8_t last_in;           /* last byte of input */

	/* What it was told before it was executed. */
	uint64_t signals, signals_alone; /* bit N-1: signal N */
	bool has_window;
	struct agent_window window;

	bool hangs_up;      /* its session is being ended */
	int64_t kill_at_ms; /* CLOCK_MONOTONIC; 0: it has not had SIGHUP yet */
	unsigned n_kills;
};

int process_io_init(struct process *process, size_t output_size);
void process_io_begin(struct process *process); /* it has been executed */
void process_io_reaped(struct process *process);
bool process_io_is_over(const struct process *process); /* all output has been read */
void process_io_close(struct process *process);

/* Tells its owner if it has ended now; it may be gone when this returns. */
void process_check_end(struct process *process);

void process_forget_report(struct process *process); /* it is told of nothing more */
void process_close_ends(struct process *process);
void process_destroy(struct process *process);

int process_hang_up_init(struct process_host *host);
void process_hang_up_reaped(struct process *process); /* one that hangs_up */

/* Nobody is interested in any process any more: sends SIGKILL to all of them. */
void process_kill_all(struct process_host *host);
