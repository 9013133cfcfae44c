/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The contract between the datapath and a port, whatever its kind.
 *
 * A port has one or more queues, each with a receive and a transmit side. Each receive queue
 * belongs to one worker (topology.h). For each round the worker calls receive(), lets the pipeline
 * decide, calls transmit() on the egress ports, and then release() on the ingress: frames, and the
 * guest buffers they are views of, live exactly that long. Nothing here waits.
 *
 * A frame leaves by the queue of the number it came in by, modulo the queues its egress has in
 * use: no hash to compute, and as long as its source keeps a flow on one queue (guests and the
 * kernel's fanout do) its frames stay in order, whichever worker handles them.
 *
 * Before a worker sleeps it calls arm() on every queue it polls: from then on the peer signals new
 * work through a descriptor that the port has the worker watch (host.h). arm() looks again after
 * arming and says whether work came in meanwhile; then the worker does not sleep.
 *
 * Thread-safety: receive, release, arm, disarm: the worker that owns the queue. transmit, landing,
 * landing_arm, memory_gone: any worker (the port takes a lock of its own for each transmit queue);
 * transmit also the control thread, of packet and ethdev ports.
 * The rest: the control thread. A port is created, closed and reconfigured by the control thread,
 * which first takes it out of the workers' sight and waits for a grace period (topology.h).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <jansson.h>

#include "config/sluiced_config.h"
#include "switch/datapath/counters.h"
#include "switch/datapath/frame.h"

#define WORKER_MAX WORKERS_MAX
#define PORT_MAX   256
#define BURST_MAX  32

struct port;

/*
 * The guest buffers that the next frame would go to. `iov` begins behind the place of the first
 * `skip` bytes of the frame (virtio-net header not counted), so that those can be received into
 * private memory, judged there, and written last. Offering reserves nothing: transmit() of the
 * frame settles it, anything else forgets it.
 */
struct landing {
	struct iovec iov[FRAME_SEG_MAX];
	unsigned n_iov;
	unsigned caps; /* EGRESS_ bits: what the guest takes as it is */
};

enum landing_state {
	LANDING_OK,    /* room for any frame */
	LANDING_SMALL, /* receive elsewhere and copy */
	LANDING_FULL,  /* leave frames where they are: the guest owes buffers, see landing_arm() */
};

struct port_ops {
	const char *kind; /* as in the configuration file */

	/*
	 * Fills at most n (<= BURST_MAX) frames from a queue; returns how many. `sole`: the only
	 * port that can receive from this one, which in turn receives from no other, or NULL; if it
	 * offers landing, frames may be received straight into its memory.
	 */
	unsigned (*receive)(struct port *p, unsigned queue, struct frame *burst, unsigned n,
		struct port *sole, struct counters *c);
	/* The frames of the queue's last receive() are done with. */
	void (*release)(struct port *p, unsigned queue, struct counters *c);

	/*
	 * Copies the frames out, in order; what cannot be sent is dropped and counted in `c`.
	 * `queue` is the one they came in by.
	 */
	void (*transmit)(struct port *p, unsigned queue, struct frame **frames, unsigned n,
		struct counters *c);

	/*
	 * The buffers that frames of the source's queue `queue` (of n_queues, which different
	 * workers may serve) would go to. Always LANDING_SMALL if two of those queues share a ring.
	 * `out` may be NULL: then it only says whether the guest can take frames at all. NULL if
	 * this kind has no memory to land in; so are the next three.
	 */
	enum landing_state (*landing)(struct port *p, unsigned queue, unsigned n_queues,
		uint32_t skip, struct landing *out);
	/* After LANDING_FULL, before sleeping: asks to be told of new buffers; true: there are. */
	bool (*landing_arm)(struct port *p, unsigned queue);
	void (*landing_disarm)(struct port *p, unsigned queue);
	/* The kernel found this port's memory gone (EFAULT) when it copied a frame. */
	void (*memory_gone)(struct port *p);

	/* Asks the peer to signal new work; true: there is some already. */
	bool (*arm)(struct port *p, unsigned queue);
	void (*disarm)(struct port *p, unsigned queue);

	/* Control thread: a worker raised the host's attention, see what there is to mend. */
	void (*service)(struct port *p);

	/*
	 * Control thread: an interface changed, came or went that has, or had, this name and index;
	 * `name` NULL: any may have. Only a hint when to look (host.h, find_link). NULL if this
	 * kind never asks for it.
	 */
	void (*link_changed)(struct port *p, const char *name, int ifindex);

	/*
	 * Control thread: settings of the switch's own part of the configuration have changed,
	 * while the port runs. -errno with *err set: nothing has. NULL if none concerns this kind.
	 */
	int (*set)(struct port *p, const struct port_config *config, struct err *err);

	/* Adds what this kind knows to the object that `port show` prints: state, peer, queues. */
	void (*status)(struct port *p, json_t *out);
	/* Adds counters that only this kind has to what `port stats` prints; NULL: none. */
	void (*stats)(struct port *p, json_t *out);
	/* Frees the port; no worker knows it any more. */
	void (*close)(struct port *p);
};

/*
 * Embedded first in each kind's own struct.
 * Control thread writes all but the counters; workers read.
 */
struct port {
	const struct port_ops *ops;
	uint16_t id; /* slot in the topology, stable for the port's life */
	uint16_t n_queues;
	char name[PORT_NAME_MAX];
	struct counters counters[WORKER_MAX + 1]; /* the last: the control thread's */
};

static inline struct counters *port_control_counters(struct port *p)
{
	return &p->counters[WORKER_MAX];
}
