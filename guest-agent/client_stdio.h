/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a client sends to a process: STDIN, STDIN_CLOSE, SIGNAL and RESIZE, and its credit.
 *
 * The bytes that the client may still send, those that wait for the process, and those taken that
 * have not been said yet, are AGENT_WIRE_STDIN_WINDOW together, whoever has sent them.
 */

#include "guest-agent/client.h"
#include "guest-agent/process.h"

struct client_stdio {
	struct client *client;
	struct process *process;
	bool alone; /* signals are for the process, not for its group */
	bool is_closed;
	uint32_t credit; /* what the client may send */
	uint32_t owed;   /* what it may send and has not been told */
};

/* Gives the first credit: the process runs. */
void client_stdio_open(struct client_stdio *stdio);

/* So many bytes of input have been taken. */
void client_stdio_taken(struct client_stdio *stdio, size_t n);

int client_stdio_frame(struct client_stdio *stdio, enum agent_wire_type type, struct evbuffer *in,
	uint32_t len, struct err *err);

/*
 * Puts the process's output from offset *at on, as long as the client has room. Nothing is
 * released. Whether all of it, up to the ring's end, has been put.
 */
bool client_stdio_send(struct client_stdio *stdio, int stream, uint64_t *at);
