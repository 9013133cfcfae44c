/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * An exec: a process that belongs to a connection. It ends when its client goes.
 */

#include "guest-agent/client.h"

struct agent;

#define EXECS_MAX 256

/* START has come, with this payload. Refuses the client if it will not do. */
int exec_begin(struct agent *agent, struct client *client, struct evbuffer *in, uint32_t len);
