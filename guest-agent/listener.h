/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Accepts connections of the host: on a vsock port, where nobody but the host (CID 2) is served,
 * or on a unix socket of root's and of our own user.
 */

#include <stdbool.h>

#include "lib/err.h"

struct event_base;
struct listener;
struct sockaddr_vm;

/* `accepted` owns the connection, which is non-blocking and CLOEXEC. */
typedef void listener_accepted(void *owner, int fd);

int listener_vsock(struct event_base *loop, unsigned port, listener_accepted *accepted, void *owner,
	struct listener **out, struct err *err);
int listener_unix(struct event_base *loop, const char *path, listener_accepted *accepted,
	void *owner, struct listener **out, struct err *err);

void listener_free(struct listener *listener); /* may be NULL; removes the unix socket */

/* Whether the other end of a vsock connection is the host, and so may be served. */
bool listener_is_host(const struct sockaddr_vm *peer);
