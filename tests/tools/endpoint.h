/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What the test tools share: sockets by numeric address, a reproducible byte stream, and giving up.
 * A tool is a process of its own whose only reader is a test, so here a failure may end the
 * process.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prints "tool: what: strerror(errno)" and exits with status 1. */
_Noreturn void fail(const char *what);

/* A number in [min, max], or the process ends with a message that names the option. */
uint64_t parse_number(const char *option, const char *text, uint64_t min, uint64_t max);

/* A socket of `type` (SOCK_STREAM listens) bound to every IPv4 and IPv6 address of this machine. */
int endpoint_listen(int type, const char *port);

/* A connected socket; `host` is a numeric address. */
int endpoint_connect(int type, const char *host, const char *port);

/* Never returns early: exactly `len` bytes are sent, or the process fails. */
void send_all(int fd, const void *data, size_t len);

/* From now on SIGUSR1 asks a tool without an end of its own to come to one; stop_asked() says so.
 * What the tool is waiting in returns EINTR. */
void catch_stop(void);
bool stop_asked(void);

/* Microseconds of the monotonic clock. */
uint64_t now_us(void);

/* A pseudo-random byte stream: the same seed gives the same bytes on every machine we run on. */
struct byte_stream {
	uint64_t state;
};

void byte_stream_init(struct byte_stream *stream, uint64_t seed);

uint64_t byte_stream_next(struct byte_stream *stream);

/* Fills `len` bytes. A stream is consumed in units of 8: a shorter tail throws the rest away. */
void byte_stream_fill(struct byte_stream *stream, void *data, size_t len);
