/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A client of the agent: one exec or one attachment on one connection to the VM's vsock socket.
 *
 * It copies between three descriptors and the wire (lib/agent_wire.h): what comes from the guest is
 * written whole and in order, and only then acknowledged; what is read from stdin is sent as far as
 * there is credit. All descriptors may block: what cannot be written is waited for, and meanwhile
 * the guest's process blocks in its turn. What happens when nobody reads our output any more is as
 * with a pipe for an exec: its connection ends, and with it the process. A workload goes on, and
 * its output is thrown away.
 *
 * The program ignores SIGPIPE.
 *
 * Thread-safety: of one thread and its event loop.
 */

#include <stdbool.h>
#include <stdint.h>

#include "config/process_spec.h"
#include "lib/agent_wire.h"
#include "lib/err.h"

struct event_base;
struct exec_client;

struct exec_streams {
	int in, out, err; /* duplicated; -1: closed at once, thrown away */
};

struct exec_end {
	enum {
		EXEC_EXITED, /* ex */
		EXEC_FAILED, /* it was never run: status is 126 or 127, err says why */
		EXEC_LOST,   /* the connection broke, or was ended: err says why */
		EXEC_UNREAD, /* ended by us: nobody reads its output (EPIPE) */
	} how;
	bool answered; /* EXEC_LOST: false if nothing has been asked of the agent: try again */
	struct agent_exit ex;
	uint32_t status;
	struct err err;
};

struct exec_owner {
	/* It runs: process ID in the guest. */
	void (*started)(void *owner, uint32_t pid);
	/* The end, once, from the event loop: all output has been written. May free the client. */
	void (*ended)(void *owner, const struct exec_end *end);
	void *owner;
};

/*
 * Connects to the agent: CONNECT to `port` at the unix socket `path`, again until something answers
 * or `timeout_ms` are over. *fd is a connected, non-blocking socket of the caller's. -ETIMEDOUT:
 * one line says what was tried last. Blocks. Reads no byte behind the answer's newline.
 */
int exec_connect(const char *path, uint32_t port, unsigned timeout_ms, int *fd, struct err *err);

/* An exec on a connection, which it owns from here on, whatever is returned. Vectors are borrowed
 * for the call and end with NULL. */
int exec_client_start(struct event_base *loop, int fd, const struct process_spec *spec,
	char *const *argv, char *const *env, const struct exec_streams *streams,
	const struct exec_owner *owner, struct exec_client **out, struct err *err);

/* An attachment to the workload; *from is what has already been written. */
int exec_client_attach(struct event_base *loop, int fd, const struct agent_offsets *from,
	const struct exec_streams *streams, const struct exec_owner *owner,
	struct exec_client **out, struct err *err);

void exec_client_signal(struct exec_client *client, int signo);
void exec_client_resize(struct exec_client *client, const struct agent_window *window);

/* How much has been written: where an attachment goes on after EXEC_LOST. */
struct agent_offsets exec_client_written(const struct exec_client *client);

/* Closes the connection; `ended` is not called. May be NULL. */
void exec_client_free(struct exec_client *client);
