/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Listening and connecting on unix stream sockets, and passing file descriptors over them.
 * All descriptors returned are CLOEXEC and non-blocking.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

/*
 * Binds and listens at `path` with mode `mode` (for example 0660), set before anybody can connect.
 * A socket file that nobody listens on any more is removed first; one that answers, or a path that
 * is not a socket, is left alone and is an error (-EADDRINUSE, -EEXIST). Returns the descriptor.
 */
int unix_listen(const char *path, mode_t mode, struct err *err);

/* Returns a connected, non-blocking descriptor or a negative errno. */
int unix_connect(const char *path, struct err *err);

struct unix_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* SO_PEERCRED of a connected socket. */
int unix_peer(int fd, struct unix_peer *peer);

/* The most descriptors that the kernel passes in one message (SCM_MAX_FD). */
#define UNIX_FDS_MAX 253

/*
 * One recvmsg(2) that also takes descriptors. Returns bytes read, 0 at end of stream, negative
 * errno (-EAGAIN: nothing there). On entry *n_fds is the room in fds[], on return how many came;
 * the caller owns them, whatever is returned. -EMSGSIZE: there were more, for which fds[] has no
 * room (those are closed) or this process none.
 */
ssize_t unix_recv_fds(int sock, void *buf, size_t len, int *fds, size_t *n_fds);

/* One sendmsg(2) with n_fds descriptors attached to its first byte; MSG_NOSIGNAL. */
ssize_t unix_send_fds(int sock, const void *buf, size_t len, const int *fds, size_t n_fds);

/* Bytes that the other end of a connection has not read yet, or negative errno: it is no socket. */
int unix_unread(int fd);
