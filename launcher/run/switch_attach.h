/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A guest's port on a switch that somebody else runs. It is added over the control socket, and
 * removed at the end, also of a launcher that is killed (keeper.h). A switch that is started anew,
 * or reads its configuration again, does not know of it any more: it is added again, as soon as the
 * switch is there (backoff.h). The connection stays open meanwhile, so that it is known.
 *
 * Thread-safety: main thread.
 */

#include <jansson.h>

#include "lib/err.h"

struct event_base;
struct keeper;
struct switch_attach;

struct switch_attach_plan {
	const char *socket;
	const json_t *port; /* as in a configuration; copied */
	struct keeper *keeper;
	void (*attached)(void *owner); /* the port is there */
	void (*lost)(void *owner);     /* ... and is not any more */
	void *owner;
};

/* Waits until the port is there, a few seconds at most. One line says why it cannot be. */
int switch_attach_start(struct event_base *loop, const struct switch_attach_plan *plan,
	struct switch_attach **out, struct err *err);

/* Waits until it is gone, a few seconds at most. May be NULL. */
void switch_attach_stop(struct switch_attach *attach);
