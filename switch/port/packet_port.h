/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Inside of the packet port, shared by its control side (packet.c, and packet_link.c, which follows
 * the interface, and packet_socket.c, which opens its sockets), its ingress (packet_ingress.c) and
 * its egress (packet_egress.c). Nobody else includes this.
 */

#include <sys/socket.h>

#include <event2/event.h>
#include <rte_spinlock.h>

#include "config/l4_ports.h"
#include "lib/err.h"
#include "switch/datapath/offload.h"
#include "switch/port/host.h"
#include "switch/port/port.h"

/* Bytes of a frame that are received into its head; a VLAN tag may still have to be put in. */
#define PACKET_HEAD (FRAME_HEAD_MAX - VLAN_TAG_LEN)

/* Room behind the head for the longest frame. */
#define PACKET_BUFFER (64 * 1024 + 4096)

/* Ancillary data: one struct tpacket_auxdata. */
#define PACKET_CONTROL 64

struct packet_slot {
	struct vnet_hdr hdr;
	struct iovec iov[3]; /* header, head, buffer */
	_Alignas(8) uint8_t control[PACKET_CONTROL];
};

/* One socket with all that it takes to receive and send by it. Pages of zeros until it does. */
struct packet_queue {
	struct port *port; /* constant */
	unsigned caps;     /* EGRESS_ bits, constant */

	/* control thread writes; everybody else reads it once a call: packet_fd() */
	int fd; /* -1: there is no interface to be on */

	/* the worker that owns the ingress */
	const struct frame *prepared __attribute__((aligned(64))); /* the burst in `msg` */
	bool bulk;                                                 /* set_bulk(); control reads */
	struct port *blocked_by; /* the sole guest has no room; frames stay in the socket */
	struct port *armed;      /* the guest that was asked to tell of new buffers */
	bool vlan_seen;          /* lengths and tags are peeked at before a landing */
	unsigned window;         /* frames to ask for in small mode */
	unsigned n_small_run;    /* small frames in a row, in bulk mode */
	uint64_t n_frames;       /* received; control reads */
	struct packet_slot slot[BURST_MAX];
	struct mmsghdr msg[BURST_MAX];

	/* whoever holds egress_lock */
	rte_spinlock_t egress_lock __attribute__((aligned(64)));
	int out_fd; /* `fd` as it was when the lock was taken */
	unsigned n_out;
	const struct frame *out_frame[BURST_MAX];
	struct vnet_hdr out_hdr[BURST_MAX];
	struct mmsghdr out_msg[BURST_MAX];
	struct iovec out_iov[BURST_MAX][2 + FRAME_SEG_MAX];
	struct frame scratch[BURST_MAX]; /* segments on their way */

	/* the worker that owns the ingress: what slots receive into */
	uint8_t buffer[BURST_MAX][PACKET_BUFFER] __attribute__((aligned(4096)));
};

struct packet_port {
	struct port port;
	struct packet_queue *queue; /* port.n_queues of them */

	/* control thread */
	struct port_config config;
	struct l4_ports kernel_ports; /* what the socket does not hear: packet_filter.h */
	const struct port_host *host;
	uint64_t kernel_drops; /* summed up: reading PACKET_STATISTICS clears it */
	int ifindex;           /* of the interface that the sockets are on; 0: they are closed */
	struct link_info link; /* as we last saw it; ifindex 0: there is none */
	struct err trouble;    /* why sockets could not be opened; empty: they could */
	struct err told;       /* the last reason for being down that was told; empty: none */
	bool told_up;
	bool was_up;           /* at any time */
	uint64_t n_recoveries; /* times it came up again */
	struct event *retry;   /* while there are no sockets */
	unsigned retry_ms;     /* how long it waits after the next trouble */
};

static inline struct packet_port *packet_port(struct port *p)
{
	return (struct packet_port *)p;
}

/* The queue's socket, or -1: good until the caller's quiescent point. */
static inline int packet_fd(const struct packet_queue *q)
{
	return __atomic_load_n(&q->fd, __ATOMIC_ACQUIRE);
}

/*
 * Opens a socket for each of the port's queues on an interface that is up, to fd[]. -errno with
 * *err set and nothing open.
 */
int packet_sockets_open(const struct packet_port *pp, int ifindex, int *fd, struct err *err);

/* Has the open sockets hear what the port is to hear now. -errno with *err set. */
int packet_sockets_filter(const struct packet_port *pp, struct err *err);

/* Whether we may open packet sockets at all. */
int packet_sockets_probe(struct err *err);

/* False once the interface that the socket was bound to is gone, whatever came in its place. */
bool packet_socket_bound(int fd, int ifindex);

/* Frames the kernel dropped since the last call: no room in the socket, no way to describe them. */
uint64_t packet_socket_drops(int fd);

/* Begins to follow the interface of the configured name; -errno with *err set. */
int packet_link_start(struct packet_port *pp, struct err *err);
/* Also of a port that was not started. Closes the sockets; no worker knows the port any more. */
void packet_link_stop(struct packet_port *pp);
/* Looks how the interface is now and acts on it. */
void packet_link_look(struct packet_port *pp);
/* Why the port is down, or NULL if it is up. *hint (may be NULL): what to do about it. */
const char *packet_link_reason(const struct packet_port *pp, struct err *hint);
/* port_ops */
void packet_link_changed(struct port *p, const char *name, int ifindex);

/* port_ops of the ingress */
unsigned packet_receive(struct port *p, unsigned queue, struct frame *burst, unsigned n,
	struct port *sole, struct counters *c);
void packet_release(struct port *p, unsigned queue, struct counters *c);
bool packet_arm(struct port *p, unsigned queue);
void packet_disarm(struct port *p, unsigned queue);

/* port_ops of the egress */
void packet_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c);
