/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A connection to a TCP port of the guest, on one of its addresses or on its loopback (127.0.0.1 or
 * else ::1), through the agent (AGENT_FORWARD_PORT, guest-agent/agent_forward.h). Nothing blocks.
 *
 * Thread-safety: of one thread and its event loop.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/ip_addr.h"

struct event_base;
struct guest_dial;

struct guest_dial_plan {
	const char *vsock; /* socket; kept by the caller */
	uint16_t port;
	const struct ip_addr *address; /* kept by the caller; NULL: loopback */
	/*
	 * Once, from the event loop, which may free the dial: a connected non-blocking socket that
	 * is the owner's from here on, with no byte of the stream read; or -1 and a line that says
	 * why.
	 */
	void (*done)(void *owner, int fd, const struct err *why);
	void *owner;
};

/* -ENOENT, -ECONNREFUSED ...: there is no VM. `done` is then not called. */
int guest_dial_start(struct event_base *loop, const struct guest_dial_plan *plan,
	struct guest_dial **out, struct err *err);

/* May be NULL. */
void guest_dial_free(struct guest_dial *dial);

/*
 * What the agent answers: "OK", or "ERROR reason", a line without its newline. 0; -ECONNREFUSED:
 * *err is the reason, without control characters; -EPROTO: it is neither.
 */
int guest_dial_answer(const char *line, size_t len, struct err *err);
