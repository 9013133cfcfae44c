/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A vhost-user socket: listens, serves one connection at a time without ever waiting for it, and
 * tells its owner when the peer comes and goes. Half a message costs nothing but the bytes that
 * are there; a peer that does not read its replies, or that breaks the protocol, is disconnected
 * with the reason kept. A second connection is refused while the first lasts.
 *
 * Thread-safety: control thread only.
 */

#include <stdbool.h>

#include <sys/types.h>

#include "lib/err.h"
#include "switch/port/vhost_user.h"

struct vhost_server {
	struct vhost_user *vu;
	const char *name; /* of the port, for the log; not owned */
	char path[108];   /* sun_path */
	struct event *accept_event;
	struct event *read_event;
	int listen_fd;
	int conn_fd; /* -1: nobody connected */
	pid_t peer_pid;
	uint64_t n_connections;
	struct vhost_reader reader;
	struct err why; /* why the last connection ended; empty: the peer hung up, or none yet */
};

/* Binds the socket (0660) and begins to accept. `vu` and `name` must outlive the server. */
int vhost_server_open(struct vhost_server *s, struct vhost_user *vu, const char *name,
	const char *path, struct err *err);

/* Ends the connection, if there is one, for this reason (NULL: none to speak of). */
void vhost_server_disconnect(struct vhost_server *s, const char *why);

/* Disconnects, stops listening and removes the socket file. */
void vhost_server_close(struct vhost_server *s);
