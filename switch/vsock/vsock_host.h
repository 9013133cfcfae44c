/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Where the host's processes meet the guest's: a unix socket on which clients ask for a port of the
 * guest's (vsock_connect.h), and, for each port of the host's that the guest may ask for, a socket
 * that somebody else listens on: the same path, '_' and the port.
 */

#include <stdint.h>

#include <event2/event.h>

#include "lib/err.h"
#include "switch/vsock/vsock.h"

struct vsock_host {
	const char *path; /* the caller's */
	struct vsock *vsock;
	int listen_fd; /* -1: none */
	struct event *accept_event;
	struct event *pause_event;
};

/* Listens, mode 0600. The host, the path and `v` outlive it. */
int vsock_host_open(struct vsock_host *h, struct vsock *v, const char *path, struct err *err);

/* Connects to the socket for a port of the guest's choice; negative errno. */
int vsock_host_connect(const struct vsock_host *h, uint32_t port);

/* Stops listening and removes the socket. Harmless if it is not open. */
void vsock_host_close(struct vsock_host *h);
