/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The contract between the datapath and a port, whatever its kind.
 *
 * A worker owns a port's receive side. For each round it calls receive(), lets the pipeline decide,
 * calls transmit() on the egress ports, and then release() on the ingress: frames, and the guest
 * buffers they are views of, live exactly that long. Nothing here waits.
 *
 * Before a worker sleeps it calls arm() on every port it polls: from then on the peer signals new
 * work through a descriptor that the port has the workers watch (host.h). arm() looks again after
 * arming and says whether work came in meanwhile; then the worker does not sleep.
 *
 * Thread-safety: receive, release, arm, disarm: the owning worker. transmit and landing: any
 * worker, one at a time (the port takes its own egress lock). status: the control thread. A port is
 * created, closed and reconfigured by the control thread, which first takes it out of the workers'
 * sight and waits for a grace period (datapath/topology.h).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <jansson.h>

#include "config/sluiced_config.h"
#include "switch/datapath/counters.h"
#include "switch/datapath/frame.h"

#define WORKER_MAX 16
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
	LANDING_FULL,  /* leave frames where they are: the guest owes buffers, and its kick is armed
			*/
};

struct port_ops {
	const char *kind; /* as in the configuration file */

	/*
	 * Fills at most n (<= BURST_MAX) frames; returns how many. `sole`: the only port that can
	 * receive from this one, or NULL; if it offers landing, frames may be received straight
	 * into its memory.
	 */
	unsigned (*receive)(struct port *p, struct frame *burst, unsigned n, struct port *sole,
		struct counters *c);
	/* The frames of the last receive() are done with. */
	void (*release)(struct port *p, struct counters *c);

	/* Copies the frames out, in order; what cannot be sent is dropped and counted in `c`. */
	void (*transmit)(struct port *p, struct frame **frames, unsigned n, struct counters *c);

	/*
	 * NULL if this kind has no memory to land in. `out` may be NULL: then it only says whether
	 * the guest can take frames at all.
	 */
	enum landing_state (*landing)(struct port *p, uint32_t skip, struct landing *out);
	/* The kernel found this port's memory gone (EFAULT) when it copied a frame; NULL likewise.
	 */
	void (*memory_gone)(struct port *p);

	/* Asks the peer to signal new work; true: there is some already. */
	bool (*arm)(struct port *p);
	void (*disarm)(struct port *p);

	/* Control thread: a worker raised the host's attention, see what there is to mend. */
	void (*service)(struct port *p);

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
	char name[PORT_NAME_MAX];
	struct counters counters[WORKER_MAX];
};
