/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * One stream between a port of the guest's and a socket of the host's.
 *
 * It has two sides, which end one after the other, and is freed when both have.
 *
 * The guest's side:
 *
 *   NONE       the host's client has not said yet what it wants; unknown to the guest
 *   REQUESTED  REQUEST is on its way to the guest, or sent
 *   OPEN
 *   GONE       the guest sent RST or shut down both ways, or is owed a RST
 *
 * Control packets that are owed to the guest are bits (`say`), sent when it has buffers: however
 * often something happens, it costs nothing more.
 *
 * The host's side is its socket. Each end of a stream shut down is passed on as what it is:
 *
 *   the guest sends no more      shutdown(SHUT_WR), once all has been written
 *   the guest receives no more   shutdown(SHUT_RD)
 *   the host sends no more       SHUTDOWN with SEND, after all that it had sent
 *   the host receives no more    SHUTDOWN with RCV; what the guest still sends is thrown away
 *
 * A guest that is gone may have left data behind, which is still written; then the socket is
 * closed.
 *
 * Credit. What the guest sends is written to the socket from where it lies in guest memory; what
 * the socket does not take is copied to a buffer of at most VSOCK_BUF_SIZE: `received` less
 * `forwarded`, which is what the guest may have in flight. More is against the protocol, and ends
 * the connection. What we may send is the guest's word, modulo 2^32; if it lies, it gets less than
 * it could, or packets for which it has promised buffers: its own buffers, all of them.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "switch/vsock/vsock.h"

#define VSOCK_BUF_SIZE 131072u

/* How long a client may take to say what it wants, and a guest to answer a REQUEST. */
#define VSOCK_HANDSHAKE_S 10

enum vsock_guest_side { VSOCK_NONE, VSOCK_REQUESTED, VSOCK_OPEN, VSOCK_GONE };

/* Packets owed to the guest, in the order in which they are sent. */
enum vsock_say {
	VSOCK_SAY_RST = 1 << 0,
	VSOCK_SAY_REQUEST = 1 << 1,
	VSOCK_SAY_RESPONSE = 1 << 2,
	VSOCK_SAY_CREDIT = 1 << 3,
	VSOCK_SAY_ASK = 1 << 4, /* CREDIT_REQUEST */
	VSOCK_SAY_SHUTDOWN = 1 << 5,
};

struct vsock_conn {
	TAILQ_ENTRY(vsock_conn) link, ready_link, bucket_link;
	struct vsock *vsock;
	uint32_t host_port, guest_port;
	enum vsock_guest_side guest;
	unsigned say;
	bool known; /* the guest knows it: it is in the table */
	bool ready; /* in the list of those who have something for the guest */
	unsigned guest_shut;
	unsigned host_shut; /* likewise; VIRTIO_VSOCK_SHUTDOWN_ bits, as seen by who shuts down */

	int fd; /* -1: the host's side has ended */
	struct event *event;
	bool readable;            /* as far as we know */
	bool wr_closed;           /* shutdown(SHUT_WR) has been done */
	struct evbuffer *to_host; /* NULL: nothing ever waited */
	unsigned n_chains;        /* buffers that the next read is likely to need */

	uint32_t received, forwarded; /* bytes from the guest, modulo 2^32 */
	uint32_t told_forwarded;
	uint32_t sent; /* bytes to the guest */
	uint32_t peer_alloc, peer_forwarded;
	bool asked; /* for credit, without an answer so far */
};

/* What came of a connection's turn. */
enum vsock_turn {
	VSOCK_TURN_DONE,   /* it had its turn, and may have more to send */
	VSOCK_TURN_NO_BUF, /* the guest has no buffers */
};

/* A client of the host's, who is to say CONNECT. `fd` is the connection's, or closed on failure. */
void vsock_conn_accept(struct vsock *v, int fd);

/* A connection that the guest asks for, with the packet it did that with: it gets a RESPONSE.
 * False: there can be none; `fd` is closed. */
bool vsock_conn_answer(struct vsock *v, int fd, const struct vsock_packet *p);

/* A packet of the guest's for this connection, which may be gone afterwards. False: the guest's
 * memory is. */
bool vsock_conn_take(struct vsock_conn *c, const struct vsock_packet *p,
	const struct iovec *payload, unsigned n);

/* It has something to send to the guest. */
bool vsock_conn_wants_turn(const struct vsock_conn *c);

/* Sends some of that. The connection may be gone afterwards. */
enum vsock_turn vsock_conn_turn(struct vsock_conn *c);

/* The guest has forgotten it. The connection may be gone afterwards. */
void vsock_conn_forget_guest(struct vsock_conn *c);

void vsock_conn_free(struct vsock_conn *c);

static inline bool vsock_conn_flushed(const struct vsock_conn *c)
{
	return c->fd < 0 || !c->to_host || evbuffer_get_length(c->to_host) == 0;
}
