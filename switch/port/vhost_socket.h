/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A port's vhost-user socket and its one connection. Either side may be the one that listens:
 *
 *   server   we listen. A second connection is refused while the first lasts.
 *   client   the VMM listens (QEMU: server=on) and we connect, again and again, for ever: 100 ms
 *            after a failure, then twice as long each time, up to 5 s, give or take a quarter so
 *            that ports do not beat in step. The delay starts over when a connection was good for
 *            something (vhost_socket_good()): a VMM that accepts and breaks the protocol each time
 *            is left in peace more and more like one that is not there.
 *
 * A connection is served without ever waiting for it. Half a message costs nothing but the bytes
 * that are there; a peer that does not read its replies, or that breaks the protocol, is
 * disconnected with the reason kept. One that made a worker hang in a signal (vhost_user_hung())
 * has to stay away for a second, in either mode: it must not do that again and again.
 *
 * Thread-safety: control thread only.
 */

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "lib/err.h"
#include "switch/port/vhost_user.h"

struct vhost_socket {
	struct vhost_user *vu;
	char path[108]; /* sun_path */
	bool client;
	struct event *accept_event; /* server */
	struct event *pause_event;  /* server, while it does not accept; NULL: it does */
	struct event *retry_event;  /* client */
	struct event *read_event;
	int listen_fd; /* server */
	int conn_fd;   /* -1: nobody connected */
	pid_t peer_pid;
	uint64_t n_connections;
	uint64_t n_attempts; /* client: so far */
	unsigned delay_ms;   /* client: before the next attempt but one */
	int64_t retry_at_ms; /* client, not connected: when the next attempt is due (monotonic) */
	struct err attempt;  /* client: why the last attempt failed; empty: it did not */
	struct vhost_reader reader;
	struct err why; /* why the last connection ended; empty: the peer hung up, or none yet */
};

/*
 * Binds the socket with this mode and begins to accept; or begins to connect (`client`). `vu`, with
 * its host, port and closer set, must outlive the socket.
 */
int vhost_socket_open(struct vhost_socket *s, struct vhost_user *vu, const char *path, mode_t mode,
	bool client, struct err *err);

/* Ends the connection, if there is one, for this reason (NULL: none to speak of). */
void vhost_socket_disconnect(struct vhost_socket *s, const char *why);

/* The connection has come to something: the guest's rings run. */
void vhost_socket_good(struct vhost_socket *s);

/* Milliseconds until the next attempt to connect, 0 if there is none or it is due. */
int64_t vhost_socket_retry_in_ms(const struct vhost_socket *s);

/* Disconnects, stops listening (and removes the socket file) or connecting. */
void vhost_socket_close(struct vhost_socket *s);
