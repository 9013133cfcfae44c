/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Forwards byte streams to TCP ports in the guest: vsock port AGENT_FORWARD_PORT.
 *
 * The client sends one line, `ADDRESS PORT\n`: an IPv4 or IPv6 address of the guest itself
 * (127.0.0.1, ::1, or one of its interfaces) and a port, both as numbers. The agent connects and
 * answers `OK\n`, or `ERROR reason\n` and the end. Behind that come the bytes of the stream, both
 * ways; each direction ends on its own (half-close), and when one side breaks so does the other.
 *
 * Thread-safety: of one thread and its event loop.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/err.h"

struct event_base;
struct forwards;

#define AGENT_FORWARD_LINE_MAX 64 /* bytes of the client's line with its newline */
#define AGENT_FORWARDS_MAX     512

/* The address and port of a line (without its newline, `len` bytes); -EINVAL. */
int agent_forward_parse(
	const char *line, size_t len, struct sockaddr_storage *address, struct err *err);

struct forwards *forwards_new(struct event_base *loop);

/* A connection of a client of the host's, which is owned from here on. */
void forwards_accept(struct forwards *forwards, int fd);

/*
 * A connection that somebody in the guest has made, which is owned from here on, and leads to
 * `target`, where `line` is said first. Nobody is answered: if it cannot be connected, or is
 * refused there, it is reset.
 */
void forwards_lead(struct forwards *forwards, int fd, const struct sockaddr *target, socklen_t len,
	const char *line);

size_t forwards_count(const struct forwards *forwards);

/* Breaks all. May be NULL. */
void forwards_free(struct forwards *forwards);
