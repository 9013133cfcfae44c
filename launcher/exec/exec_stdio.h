/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The caller's stdin, stdout and stderr, beside an event loop that never waits for them.
 *
 * What they are is the caller's choice: pipes, files, terminals, sockets, shared with other
 * processes, which is why O_NONBLOCK is not ours to set; epoll(7) does not take files at all; and
 * between poll(2) and a read or write of a blocking descriptor somebody else may have taken the
 * bytes or the room. Pieces of PIPE_BUF behind poll(2) can block all the same (a terminal has less
 * room than that, a shared pipe may have none any more), and then no signal would be forwarded
 * until somebody reads. So two threads do what may block, one the reading, one the writing:
 *
 *      reader   waits until it may read (exec_stdio_allow), reads, says so
 *      writer   takes what is queued in its order, writes it, says so
 *
 * One writer for both outputs, because they may be the same pipe (2>&1): then the order is that of
 * the wire. A stream that nobody reads holds up the other, no sooner than with pipes of a process
 * of its own: what has filled is the caller's pipe.
 *
 * The threads share a mutex, two conditions and two eventfds with the loop; memory goes from one to
 * the other by moving evbuffer chains, not by copying. They are detached, and hold a reference and
 * duplicates of the descriptors: one that is stuck in a read or write when the client is freed ends
 * when that returns, and touches nothing of the caller's. No signal is delivered to them but
 * SIGTTIN and SIGTTOU, which stop the whole process, as a background job's should.
 *
 * Thread-safety: all functions belong to the loop's thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct evbuffer;
struct event_base;
struct exec_stdio;
struct exec_streams;

enum exec_output { EXEC_STDOUT, EXEC_STDERR, EXEC_N_OUTPUTS };

/* Above this the loop should queue nothing more: each side of it is at least a pipe's worth. */
#define EXEC_STDIO_QUEUE_MAX (256U << 10)

struct exec_stdio_state {
	size_t queued;                    /* not yet written; with what keeping it costs */
	uint64_t written[EXEC_N_OUTPUTS]; /* or discarded, after an error */
	int error[EXEC_N_OUTPUTS];        /* the first, a positive errno; 0: none */
};

/* `news` is called by the loop when input has come, or output has been written so far that it
 * matters: all of it, or enough to queue more. Descriptors are duplicated. */
int exec_stdio_start(struct event_base *loop, const struct exec_streams *streams,
	void (*news)(void *owner), void *owner, struct exec_stdio **out, struct err *err);

/* Lets the reader read so many bytes more. It has read none that it may not. */
void exec_stdio_allow(struct exec_stdio *s, size_t len);

/* No more is read, but for what is being read right now. */
void exec_stdio_end_input(struct exec_stdio *s);

/* Moves all that has been read to the end of `to` and returns its length. *ended: that was all. */
size_t exec_stdio_take(struct exec_stdio *s, struct evbuffer *to, bool *ended);

/* Queues `len` bytes from the front of `from`; -ENOMEM. */
int exec_stdio_put(
	struct exec_stdio *s, enum exec_output output, struct evbuffer *from, size_t len);

struct exec_stdio_state exec_stdio_look(struct exec_stdio *s);

/* What is queued is thrown away. May be NULL. */
void exec_stdio_stop(struct exec_stdio *s);
