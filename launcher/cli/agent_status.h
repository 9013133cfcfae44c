/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What the agent in a VM says of its guest (guest-agent/status.h): asked for, and printed. The
 * guest is not trusted: an answer may be late, long, or anything but one, and its text is printed
 * without what a terminal would obey.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/err.h"

struct evbuffer;

/* Asks at the VM's vsock socket; *status is a new object. Takes no longer than `timeout_ms`:
 * -ETIMEDOUT; -EPROTO: what came is no answer; -ECONNRESET ... */
int agent_status_get(const char *vsock, unsigned timeout_ms, json_t **status, struct err *err);

/*
 * The client's side of it: takes what has come in `in` and puts what is to be said into `out`. 1:
 * *status is a new object; 0: there is more to come; -EPROTO. *greeted is false at first.
 */
int agent_status_take(
	struct evbuffer *in, struct evbuffer *out, bool *greeted, json_t **status, struct err *err);

/* A few lines, indented by two blanks. Members that are missing, or not as they should be, are left
 * out. */
void agent_status_print(const json_t *status, FILE *out);
