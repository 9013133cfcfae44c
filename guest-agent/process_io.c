/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/process_private.h"

#include <assert.h>
#include <errno.h>
#include <termios.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

/* Closing a terminal's input takes as many characters at most. */
#define VEOF_MAX 2

static bool is_terminal(const struct process_stream *stream)
{
	return stream->fd >= 0 && stream->fd == stream->process->terminal;
}

static void close_stream(struct process_stream *stream)
{
	if (stream->event != NULL)
		event_free(stream->event);
	stream->event = NULL;
	if (stream->fd >= 0 && !is_terminal(stream))
		close(stream->fd);
	stream->fd = -1;
}

/* --- input ------------------------------------------------------------------------------------ */

static void tell_taken(struct process *process, size_t n)
{
	if (n > 0 && process->ops != NULL)
		process->ops->input_taken(process->owner, n);
}

/* Nobody reads it any more: what waits and what comes goes nowhere, as with a closed terminal. */
static void close_input(struct process *process)
{
	struct process_stream *in = &process->in;
	size_t n = byte_ring_len(&in->ring);

	close_stream(in);
	process->in_closed = true;
	byte_ring_release(&in->ring, in->ring.end);
	tell_taken(process, n);
}

/* In canonical mode one VEOF hands on a line that is not complete, and one behind a newline is the
 * end. */
static void put_veof(struct process *process)
{
	struct termios settings;
	uint8_t eof[VEOF_MAX] = { 4, 4 };
	uint64_t n = process->in.ring.end;

	if (tcgetattr(process->terminal, &settings) == 0)
		eof[0] = eof[1] = settings.c_cc[VEOF];
	byte_ring_put(&process->in.ring, eof, n == 0 || process->last_in == '\n' ? 1 : 2);
}

/* All input has been written. */
static void input_drained(struct process *process)
{
	struct process_stream *in = &process->in;

	event_del(in->event);
	if (!process->in_closes || process->in_closed)
		return;
	process->in_closed = true;
	if (!is_terminal(in)) {
		close_stream(in);
		return;
	}
	put_veof(process);
	event_add(in->event, NULL);
}

static void write_input(struct process *process)
{
	struct process_stream *in = &process->in;
	/* The agent's own VEOF is nobody's credit. */
	bool is_clients = !process->in_closed;
	ssize_t n = 0;

	if (byte_ring_len(&in->ring) > 0)
		n = byte_ring_drain(&in->ring, in->fd);
	if (n < 0 && n != -EAGAIN) {
		close_input(process);
		return;
	}
	if (byte_ring_len(&in->ring) > 0)
		event_add(in->event, NULL);
	else
		input_drained(process);
	if (n > 0 && is_clients)
		tell_taken(process, (size_t)n);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct process_stream *in = arg;

	write_input(in->process);
}

void process_input(struct process *process, struct evbuffer *in, size_t len)
{
	struct process_stream *stream = &process->in;

	if (process->in_closed) {
		evbuffer_drain(in, len);
		tell_taken(process, len);
		return;
	}
	byte_ring_take(&stream->ring, in, len);
	process->last_in = byte_ring_last(&stream->ring);
	if (stream->fd >= 0 && byte_ring_len(&stream->ring) == len)
		write_input(process);
}

size_t process_input_len(const struct process *process)
{
	return process->in_closed ? 0 : byte_ring_len(&process->in.ring);
}

void process_input_close(struct process *process)
{
	process->in_closes = true;
	if (process->in.fd >= 0 && byte_ring_len(&process->in.ring) == 0)
		input_drained(process);
}

/* --- output ----------------------------------------------------------------------------------- */

/* Reads once. Negative errno: the end, or (-EAGAIN) nothing is there. */
static int read_output(struct process_stream *out)
{
	ssize_t n = byte_ring_fill(&out->ring, out->fd);

	if (n > 0)
		return 0;
	return n == 0 ? -EPIPE : (int)n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct process_stream *out = arg;
	struct process *process = out->process;
	int ret;

	if (byte_ring_room(&out->ring) == 0) {
		event_del(out->event);
		return;
	}
	ret = read_output(out);
	if (ret == -EAGAIN && !process->is_reaped)
		return;
	if (ret < 0) {
		close_stream(out);
		process_check_end(process);
		return;
	}
	if (process->ops != NULL)
		process->ops->output(process->owner);
	if (byte_ring_room(&out->ring) == 0)
		event_del(out->event);
	/* Who may hold the other end now keeps it from ever being readable again. */
	else if (process->is_reaped)
		event_active(out->event, EV_READ, 1);
}

const struct byte_ring *process_output(const struct process *process, int stream)
{
	return &process->out[stream].ring;
}

void process_output_release(struct process *process, int stream, uint64_t upto)
{
	struct process_stream *out = &process->out[stream];
	bool was_full = byte_ring_room(&out->ring) == 0;

	byte_ring_release(&out->ring, upto);
	if (out->event == NULL || !was_full || byte_ring_room(&out->ring) == 0)
		return;
	event_add(out->event, NULL);
	if (process->is_reaped)
		event_active(out->event, EV_READ, 1);
}

bool process_io_is_over(const struct process *process)
{
	return process->out[PROCESS_STDOUT].fd < 0 && process->out[PROCESS_STDERR].fd < 0;
}

/* --- both ------------------------------------------------------------------------------------- */

int process_io_init(struct process *process, size_t output_size)
{
	int ret;

	process->in = (struct process_stream) { .process = process, .fd = -1 };
	ret = byte_ring_init(&process->in.ring, AGENT_WIRE_STDIN_WINDOW + VEOF_MAX);
	for (int i = 0; i < PROCESS_N_OUTPUTS; i++) {
		process->out[i] = (struct process_stream) { .process = process, .fd = -1 };
		if (ret == 0)
			ret = byte_ring_init(&process->out[i].ring, output_size);
	}
	return ret;
}

/* Without memory for an event a stream is closed, which its process sees. */
static void begin_stream(
	struct process_stream *stream, int fd, short events, event_callback_fn handler)
{
	stream->fd = fd;
	if (fd < 0)
		return;
	stream->event = event_new(stream->process->host->loop, fd, events, handler, stream);
	if (stream->event == NULL)
		close_stream(stream);
	else if ((events & EV_READ) != 0)
		event_add(stream->event, NULL);
}

void process_io_begin(struct process *process)
{
	struct spawned *ends = &process->spawned;
	bool terminal = process->terminal >= 0;
	int in = terminal ? process->terminal : ends->in;
	int out = terminal ? process->terminal : ends->out;

	begin_stream(&process->in, in, EV_WRITE | EV_PERSIST, on_writable);
	begin_stream(&process->out[PROCESS_STDOUT], out, EV_READ | EV_PERSIST, on_readable);
	begin_stream(&process->out[PROCESS_STDERR], ends->err, EV_READ | EV_PERSIST, on_readable);
	ends->in = ends->out = ends->err = -1;
	if (process->in.fd < 0)
		process->in_closed = true;
	else
		write_input(process);
	if (process->is_reaped)
		process_io_reaped(process);
}

void process_io_reaped(struct process *process)
{
	for (int i = 0; i < PROCESS_N_OUTPUTS; i++)
		if (process->out[i].event != NULL)
			event_active(process->out[i].event, EV_READ, 1);
}

void process_io_close(struct process *process)
{
	close_stream(&process->in);
	byte_ring_free(&process->in.ring);
	for (int i = 0; i < PROCESS_N_OUTPUTS; i++) {
		close_stream(&process->out[i]);
		byte_ring_free(&process->out[i].ring);
	}
}
