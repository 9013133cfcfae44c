/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A connection of the event loop's with a buffer for each direction.
 *
 * It is not a bufferevent because those read 4 KiB at a time, and free, and close, in the loop's
 * next turn, which never comes if the owner leaves its loop.
 *
 * Thread-safety: of one thread and its event loop.
 */

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct evbuffer;
struct exec_link;

struct exec_link_owner {
	/* Something has come, or `hung_up`: nothing will. */
	void (*readable)(void *owner);
	/* What waited has been written, all of it or so far that it is worth adding more. */
	void (*writable)(void *owner);
	void *owner;
};

/* Below so many bytes that wait, more can be added. */
#define EXEC_LINK_LOW (64U << 10)

/* `fd` is non-blocking, and its own from here on, whatever is returned. NULL: out of memory. */
struct exec_link *exec_link_open(
	struct event_base *loop, int fd, const struct exec_link_owner *owner);

/* Closes it. May be NULL. */
void exec_link_close(struct exec_link *link);

struct evbuffer *exec_link_in(const struct exec_link *link);

/* What is added is sent by exec_link_flush(), and what the socket does not take, by the loop. */
struct evbuffer *exec_link_out(const struct exec_link *link);
void exec_link_flush(struct exec_link *link);

/* Whether it reads; false at first. */
void exec_link_listen(struct exec_link *link, bool listens);

/* The other end has closed: what is in the buffer is the last of it. */
bool exec_link_hung_up(const struct exec_link *link);

/* It takes nothing any more; what it still says is read nevertheless. */
bool exec_link_is_deaf(const struct exec_link *link);
