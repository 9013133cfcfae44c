/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A virtio-vsock device (virtio 1.2, 5.10) between a guest's rings and unix sockets: which packet
 * belongs to which connection, and whose turn it is. One connection is vsock_conn.h, what carries
 * packets vsock_rings.h, what carries the rings vsock_device.h, where connections come from on the
 * host vsock_host.h.
 *
 * Nothing waits and nothing grows. A guest sends no more than the credit it has (VSOCK_BUF_SIZE for
 * each connection, at most VSOCK_CONNS_MAX connections), or is reset. What is on its way to the
 * guest waits in the host's sockets until the guest has credit and buffers for it, control packets
 * as bits in their connection. Only a reset for no connection of ours has to be remembered: while
 * there are VSOCK_RESETS_MAX, no more is taken from the guest, which so waits for its own buffers.
 *
 * Connections that have something for the guest take turns; so do the guest's packets and what
 * sockets have to say, because each round is bounded.
 *
 * Thread-safety: one thread, that of the event loop.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "switch/vsock/vsock_rings.h"

#define VSOCK_CONNS_MAX  2048
#define VSOCK_RESETS_MAX 64
#define VSOCK_BUCKETS    1024

struct vsock_conn;
TAILQ_HEAD(vsock_conn_list, vsock_conn);

/* What the device needs of its surroundings. */
struct vsock_ops {
	/* A connection of the guest's to this port: a non-blocking stream socket, or -errno. */
	int (*connect)(void *ctx, uint32_t port);
	/* There may be something for vsock_run() to do. */
	void (*wake)(void *ctx);
	void *ctx;
};

struct vsock {
	struct event_base *base;
	struct vsock_ops ops;
	struct vsock_rings rings;
	uint64_t guest_cid;
	unsigned n_conns_max;
	unsigned n_conns;
	struct vsock_conn_list conns;                 /* all */
	struct vsock_conn_list ready;                 /* with something for the guest */
	struct vsock_conn_list bucket[VSOCK_BUCKETS]; /* those that the guest knows */
	uint64_t seed;                                /* of the hash: a guest must not choose it */
	uint32_t next_port;
	struct vsock_packet reset[VSOCK_RESETS_MAX]; /* owed to the guest */
	unsigned first_reset, n_resets;
};

/* `n_conns_max`: at most VSOCK_CONNS_MAX; each has a descriptor. The rings may come and go. */
void vsock_init(struct vsock *v, struct event_base *base, const struct vsock_ops *ops,
	uint64_t guest_cid, unsigned n_conns_max, struct virtqueue *rx, struct virtqueue *tx);

/* One bounded round in both directions. True: there is more to do. */
bool vsock_run(struct vsock *v);

/* Takes all that the guest has sent: its rings are about to stop. */
void vsock_take_all(struct vsock *v);

/*
 * Before sleeping: asks the guest to kick for what it sends, and for new buffers if they are waited
 * for; true: there is something already.
 */
bool vsock_arm(struct vsock *v);

/* The guest knows no connection any more: they end, after what it has sent has been delivered. */
void vsock_forget_guest(struct vsock *v);

/* Connections whose socket has not yet taken all that the guest sent. */
unsigned vsock_n_unflushed(const struct vsock *v);

/* Ends all connections at once. */
void vsock_close(struct vsock *v);

/* --- for vsock_conn.c ------------------------------------------------------------------------ */

/* A port of the host's that no connection with this guest port has. */
uint32_t vsock_new_port(struct vsock *v, uint32_t guest_port);

void vsock_enter(struct vsock *v, struct vsock_conn *c);
void vsock_leave(struct vsock *v, struct vsock_conn *c);
