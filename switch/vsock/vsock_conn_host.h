/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Inside of a connection: its host's side, the socket (vsock_conn_host.c), and what that side needs
 * of the other (vsock_conn.c). Nobody else includes this.
 *
 * The socket is watched edge-triggered, in both directions, with one registration for its life. So
 * it costs no system call to wait for less, and a socket that nobody wants to read now wakes
 * nobody.
 */

#include "switch/vsock/vsock_conn.h"

/* --- the host's side; none of these frees the connection ------------------------------------- */

/* Has events come, at the latest after `timeout_s` (0: whenever there are any). */
int vsock_conn_host_watch(struct vsock_conn *c, unsigned timeout_s);

/* The guest has accepted: tells the client. Negative: it is gone. */
int vsock_conn_host_opened(struct vsock_conn *c);

/* Writes `len` bytes, counted in `received` already, to the socket, or keeps what it does not take.
 * -EFAULT: the guest's memory is gone; -ENOMEM. */
int vsock_conn_host_write(struct vsock_conn *c, const struct iovec *iov, unsigned n, uint32_t len);

/* The socket has come to its end. */
void vsock_conn_host_ended(struct vsock_conn *c);

/* Nobody reads any more what the host sends. */
void vsock_conn_host_deafen(struct vsock_conn *c);

/* What follows for the socket from what both sides have said. */
void vsock_conn_host_settle(struct vsock_conn *c);

/* Closes the socket at once; what was not written is lost. Harmless when it is. */
void vsock_conn_host_close(struct vsock_conn *c);

/* --- of both sides --------------------------------------------------------------------------- */

/* NULL: no memory. `fd` is the connection's then. */
struct vsock_conn *vsock_conn_new(struct vsock *v, int fd);

/* Ends it on both sides, with a RST for the guest. */
void vsock_conn_reset(struct vsock_conn *c);

/* After whatever has changed: does what follows, down to freeing the connection. */
void vsock_conn_settle(struct vsock_conn *c);
