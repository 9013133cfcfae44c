/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What a client asks of the agent behind HELLO, as frames: START, ARGV, ENV, or ATTACH. */

#include "config/process_spec.h"
#include "lib/agent_wire.h"
#include "lib/err.h"

struct evbuffer;

/* Both: *out is to be freed if they return 0. Vectors end with NULL. -EINVAL: no command; -E2BIG:
 * more than the agent takes. */
int exec_request_start(const struct process_spec *spec, char *const *argv, char *const *env,
	struct evbuffer **out, struct err *err);
int exec_request_attach(const struct agent_offsets *from, struct evbuffer **out, struct err *err);
