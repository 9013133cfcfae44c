/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/client_stdio.h"

#include <errno.h>

#define SIGNAL_MAX 64

/* Not for every byte: a client is still busy when it gets more. */
#define CREDIT_LOT (AGENT_WIRE_STDIN_WINDOW / 4)

static void give(struct client_stdio *stdio)
{
	struct evbuffer *out = client_output(stdio->client);

	stdio->credit += stdio->owed;
	client_put(stdio->client, agent_wire_put_u32(out, AGENT_STDIN_CREDIT, stdio->owed));
	stdio->owed = 0;
}

void client_stdio_open(struct client_stdio *stdio)
{
	stdio->owed = AGENT_WIRE_STDIN_WINDOW - (uint32_t)process_input_len(stdio->process);
	if (stdio->owed > 0 && !stdio->is_closed)
		give(stdio);
}

void client_stdio_taken(struct client_stdio *stdio, size_t n)
{
	stdio->owed += (uint32_t)n;
	if (stdio->owed >= CREDIT_LOT && !stdio->is_closed)
		give(stdio);
}

static int take_input(
	struct client_stdio *stdio, struct evbuffer *in, uint32_t len, struct err *err)
{
	if (stdio->is_closed)
		return err_set(err, -EPROTO, "STDIN came behind STDIN_CLOSE");
	if (len > stdio->credit)
		return err_set(err, -EPROTO, "STDIN of %u bytes came with credit for %u",
			(unsigned)len, (unsigned)stdio->credit);
	stdio->credit -= len;
	process_input(stdio->process, in, len);
	return 0;
}

static int take_signal(
	struct client_stdio *stdio, struct evbuffer *in, uint32_t len, struct err *err)
{
	uint32_t signo;
	int ret = agent_wire_get_u32(in, len, &signo);

	if (ret < 0 || signo < 1 || signo > SIGNAL_MAX)
		return err_set(err, -EPROTO, "SIGNAL is not one of 1 to %d", SIGNAL_MAX);
	process_signal(stdio->process, (int)signo, stdio->alone);
	return 0;
}

int client_stdio_frame(struct client_stdio *stdio, enum agent_wire_type type, struct evbuffer *in,
	uint32_t len, struct err *err)
{
	struct agent_window window;

	switch (type) {
	case AGENT_STDIN:
		return take_input(stdio, in, len, err);
	case AGENT_STDIN_CLOSE:
		stdio->is_closed = true;
		process_input_close(stdio->process);
		return 0;
	case AGENT_SIGNAL:
		return take_signal(stdio, in, len, err);
	case AGENT_RESIZE:
		if (agent_wire_get_window(in, len, &window) == 0)
			process_resize(stdio->process, &window);
		return 0;
	default:
		return err_set(err, -EPROTO, "a %s frame came to a process that runs",
			agent_wire_name(type));
	}
}

static enum agent_wire_type type_of(int stream)
{
	return stream == PROCESS_STDOUT ? AGENT_STDOUT : AGENT_STDERR;
}

bool client_stdio_send(struct client_stdio *stdio, int stream, uint64_t *at)
{
	const struct byte_ring *ring = process_output(stdio->process, stream);
	struct evbuffer *out = client_output(stdio->client);

	while (*at < ring->end && client_has_room(stdio->client)) {
		const uint8_t *bytes;
		size_t len = byte_ring_peek(ring, *at, &bytes);

		if (len > AGENT_WIRE_DATA_MAX)
			len = AGENT_WIRE_DATA_MAX;
		client_put(stdio->client, agent_wire_put(out, type_of(stream), bytes, len));
		*at += len;
	}
	return *at == ring->end;
}
