/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A client of a VMM's HTTP interface on a unix socket, in the event loop: JSON both ways. What is
 * at the other end may have been taken over by its guest: an answer is bounded in size and time,
 * and what is not JSON is an error.
 *
 * Calls are independent of each other: who needs an order makes the next one when the last is done.
 * Callbacks come from the loop, never from within a call, and may make calls or rest_close().
 * SIGPIPE is to be ignored.
 *
 * Thread-safety: the loop's thread.
 */

#include <jansson.h>

#include "lib/err.h"

struct event_base;
struct rest;

#define REST_ANSWER_MAX (256 * 1024)
#define REST_TIMEOUT_MS 10000

/*
 * `status` is HTTP's; 0: there was no answer, or none that can be used, and `error` says why.
 * `body` is borrowed; NULL: there was none. An error of the VMM's (status 400 and above) has its
 * text in `error`, which is NULL otherwise.
 */
typedef void rest_done_fn(void *owner, int status, const json_t *body, const char *error);

/* Connects when there is something to say. `socket` is copied. */
int rest_open(struct event_base *loop, const char *socket, struct rest **out, struct err *err);

/* `path` from the root, "/api/v1/vm.boot"; `body` (NULL: none) is borrowed. */
int rest_call(struct rest *rest, const char *method, const char *path, const json_t *body,
	rest_done_fn *done, void *owner, struct err *err);

/* What was not answered yet never will be. May be NULL. */
void rest_close(struct rest *rest);
