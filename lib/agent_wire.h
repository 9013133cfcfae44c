/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What sluice-agent and its clients say to each other: version 1.
 *
 * One connection (vsock port 1024, reached as `CONNECT 1024\n` on the VM's socket) is one exec, one
 * attachment to the workload, or one request. Frames are a header of 8 bytes, little-endian,
 *
 *      u8 type, u8 0, u16 0, u32 length of the payload
 *
 * and a payload of at most agent_wire_payload_max(type) bytes. Either end says HELLO first and
 * sends nothing else before it has seen the other's. What breaks these rules, has a type that the
 * receiver does not take, or a payload that does not decode ends the connection: for an exec that
 * is as if its client had gone.
 *
 *      client                                 agent
 *      HELLO                                  HELLO
 *
 *   an exec
 *      START, ARGV, ENV (once, in order)      STARTED, or ERROR and the end
 *      STDIN as far as there is credit        STDIN_CREDIT (none is given in advance; the first is
 *                                             at most AGENT_WIRE_STDIN_WINDOW)
 *      STDIN_CLOSE                            STDOUT, STDERR
 *      SIGNAL, RESIZE                         EXIT and the end, after all output
 *
 *   the workload
 *      ATTACH with the offsets it has         ATTACHED once it runs or has run, or ERROR (it cannot
 *                                             be started) and the end
 *      STDIN, STDIN_CLOSE, SIGNAL, RESIZE     STDIN_CREDIT, STDOUT, STDERR from these offsets on
 *      OUTPUT_ACK when it has written them    EXIT and the end, after all output
 *
 *   requests
 *      STATUS (empty)                         STATUS (JSON) and the end
 *      POWEROFF (empty)                       the end, and of the machine
 *
 * ENV is the whole environment, but for HOME, which is added if it is missing. STDIN_CLOSE, SIGNAL
 * and RESIZE may come before STARTED, and are kept. SIGNAL is for the workload alone; of an exec it
 * is for the group in its terminal's foreground, or without a terminal for the group that it leads.
 * At its end the agent shuts down its side and waits for the client's.
 *
 * The agent always reads: SIGNAL and RESIZE never wait behind input that the process does not take,
 * because a client sends no more STDIN than it has credit for. Output waits in the agent's bounded
 * buffers; a process whose output nobody takes blocks, as on a pipe, and loses nothing. The
 * workload's output is kept until it is acknowledged, so that a client that lost its connection
 * goes on where it was. The last ATTACH wins: an earlier attachment is ended.
 *
 * ARGV and ENV are strings of any bytes but NUL, each ended by NUL.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct evbuffer;

#define AGENT_PORT         1024 /* exec, attach, requests */
#define AGENT_FORWARD_PORT 1025 /* see agent_forward.h of the guest agent */
#define AGENT_PORTS_PORT   1026 /* which TCP ports the guest listens on: lib/port_report.h */

/*
 * Of the host's: streams to programs of the pod, for the TCP ports that the guest shares with it.
 * The agent says which port in a line, "8080\n", and the bytes of the stream follow, both ways,
 * each of which ends on its own. Who is refused sees the end.
 */
#define AGENT_SHARED_PORT      1027
#define AGENT_SHARED_PORT_TEXT "1027"

#define AGENT_WIRE_VERSION      1
#define AGENT_WIRE_HEADER_LEN   8
#define AGENT_WIRE_DATA_MAX     65536      /* STDIN, STDOUT, STDERR, START, STATUS, ERROR */
#define AGENT_WIRE_STRINGS_MAX  (2U << 20) /* ARGV, ENV: Linux takes no more than this either */
#define AGENT_WIRE_STDIN_WINDOW (256U << 10)

/* Of AGENT_ERROR. */
#define AGENT_NOTHING_TO_RUN 0   /* to ATTACH: no command was given, and the root has none */
#define AGENT_CANNOT_START   125 /* to ATTACH: something of the machine is not as it was to be */
#define AGENT_CANNOT_RUN     126

enum agent_wire_type {
	AGENT_HELLO = 1,    /* struct agent_hello */
	AGENT_START,        /* JSON: config/process_spec.h */
	AGENT_ARGV,         /* strings, at least one */
	AGENT_ENV,          /* strings */
	AGENT_STARTED,      /* u32: its process ID in the workload's PID namespace */
	AGENT_STDIN,        /* 1 byte or more */
	AGENT_STDIN_CREDIT, /* u32: as many bytes more may be sent */
	AGENT_STDIN_CLOSE,  /* empty */
	AGENT_STDOUT,       /* 1 byte or more; with a terminal, all output */
	AGENT_STDERR,       /* 1 byte or more */
	AGENT_RESIZE,       /* u16 rows, u16 columns */
	AGENT_SIGNAL,       /* u32: a signal's number on Linux x86 and arm64, 1 to 64 */
	AGENT_EXIT,         /* struct agent_exit */
	AGENT_ERROR,        /* u32: an exit status (126: cannot be run, 127: not found) or
			       AGENT_NOTHING_TO_RUN; text, UTF-8 */
	AGENT_ATTACH,       /* u64 stdout, u64 stderr: bytes that the client has */
	AGENT_ATTACHED,     /* struct agent_attached */
	AGENT_OUTPUT_ACK,   /* u64 stdout, u64 stderr: as ATTACH */
	AGENT_STATUS,       /* empty, or JSON: see guest-agent/status.h */
	AGENT_POWEROFF,     /* empty */
	AGENT_N_TYPES
};

struct agent_hello {
	uint32_t version; /* on the wire behind the 8 bytes "SLUICE\r\n" */
};

struct agent_exit {
	bool signalled; /* u8 */
	bool dumped;    /* u8; then u16 0 */
	uint32_t value; /* exit code, or number of the signal */
};

struct agent_attached {
	uint32_t pid;                /* in its own PID namespace: 1 */
	uint64_t n_stdout, n_stderr; /* where output goes on: what the client said, never less */
};

struct agent_offsets {
	uint64_t n_stdout, n_stderr;
};

struct agent_window {
	uint16_t rows, columns;
};

/* Which end of a connection one is. */
enum agent_wire_side { AGENT_WIRE_CLIENT, AGENT_WIRE_AGENT };

/* Name for messages: "STDIN". Any value may be asked for. */
const char *agent_wire_name(unsigned type);

uint32_t agent_wire_payload_max(enum agent_wire_type type);

/*
 * The next frame of `in`, for whom it was sent to. 1: it is there as a whole, its header has been
 * removed and its payload, *len bytes, is what `in` begins with: the caller drains it. 0: it is
 * not. -EPROTO: it is none, or one that the other end does not send; *err says what was wrong.
 */
int agent_wire_next(struct evbuffer *in, enum agent_wire_side receiver, enum agent_wire_type *type,
	uint32_t *len, struct err *err);

/* --- frames to send; -ENOMEM ----------------------------------------------------------------- */

int agent_wire_put(
	struct evbuffer *out, enum agent_wire_type type, const void *payload, size_t len);

/* Moves `len` bytes from the front of `data` without copying them. */
int agent_wire_put_buffer(
	struct evbuffer *out, enum agent_wire_type type, struct evbuffer *data, size_t len);

int agent_wire_put_hello(struct evbuffer *out);
int agent_wire_put_u32(struct evbuffer *out, enum agent_wire_type type, uint32_t value);
int agent_wire_put_offsets(
	struct evbuffer *out, enum agent_wire_type type, const struct agent_offsets *offsets);
int agent_wire_put_attached(struct evbuffer *out, const struct agent_attached *attached);
int agent_wire_put_window(struct evbuffer *out, const struct agent_window *window);
int agent_wire_put_exit(struct evbuffer *out, const struct agent_exit *ex);
int agent_wire_put_error(struct evbuffer *out, uint32_t status, const char *text);

/* Strings up to a NULL; -E2BIG: they are more than AGENT_WIRE_STRINGS_MAX. */
int agent_wire_put_strings(struct evbuffer *out, enum agent_wire_type type, char *const *strings);

/* --- payloads; all take `len` bytes from the front of `in`; -EPROTO: not what they should be ----
 */

int agent_wire_get_hello(struct evbuffer *in, uint32_t len, struct err *err);
int agent_wire_get_u32(struct evbuffer *in, uint32_t len, uint32_t *value);
int agent_wire_get_offsets(struct evbuffer *in, uint32_t len, struct agent_offsets *offsets);
int agent_wire_get_attached(struct evbuffer *in, uint32_t len, struct agent_attached *attached);
int agent_wire_get_window(struct evbuffer *in, uint32_t len, struct agent_window *window);
int agent_wire_get_exit(struct evbuffer *in, uint32_t len, struct agent_exit *ex);

/* *text is to be freed; control characters have become '?'. */
int agent_wire_get_error(struct evbuffer *in, uint32_t len, uint32_t *status, char **text);

/* *strings ends with NULL; one allocation, to be freed. Also -ENOMEM. */
int agent_wire_get_strings(struct evbuffer *in, uint32_t len, char ***strings);
