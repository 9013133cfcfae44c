/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A client of QEMU's monitor (QMP) in the event loop.
 *
 *      (greeting) -- qmp_capabilities --> ready: commands and events --> ended
 *
 * Events that QEMU has before it is ready are lost to QMP, so QEMU is to be started with -S. An
 * answer to nothing that was asked, a line too long or that is no message ends the connection.
 *
 * Callbacks come from the loop, never from within a call, and may call qmp_close().
 * SIGPIPE is to be ignored.
 *
 * Thread-safety: the loop's thread.
 */

#include <jansson.h>

#include "lib/err.h"

struct event_base;
struct qmp;

#define QMP_PENDING_MAX 16

/* `result` is borrowed; NULL: it failed, and why. Not called if the connection ends before. */
typedef void qmp_done_fn(void *owner, const json_t *result, const char *error);

struct qmp_owner {
	void (*ready)(void *owner);
	void (*event)(void *owner, const char *name, const json_t *data); /* NULL: none */
	/* The last one. `error`: what QEMU did wrong; NULL: it closed the connection. */
	void (*ended)(void *owner, const char *error);
	void *owner;
};

/* Takes over `fd`, a connected stream socket, also when it fails. */
int qmp_open(struct event_base *loop, int fd, const struct qmp_owner *owner, struct qmp **out,
	struct err *err);

/* -ENOTCONN: not ready, or ended; -EBUSY: too many were asked and not answered. `arguments` (NULL:
 * none) is borrowed; `done` may be NULL. */
int qmp_execute(struct qmp *qmp, const char *command, const json_t *arguments, qmp_done_fn *done,
	struct err *err);

/* Frees it; may be NULL. */
void qmp_close(struct qmp *qmp);
