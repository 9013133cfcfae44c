/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The TCP ports that a guest listens on, in the pod as well, so that kubectl port-forward and
 * sidecars reach them: what the guest's agent reports (port_watch.h) is bound here, and each
 * connection is one to the same address and port of the guest's (forwarder.h).
 *
 *   in the guest               in the pod
 *   0.0.0.0, ::                127.0.0.1, ::1, and the addresses of the pod's that are given
 *   one of those addresses     the same
 *   one of the loopback's      the same
 *   any other                  nowhere
 *
 * A port that somebody has stays theirs: it is logged once, and tried again when the guest's ports
 * change. A port that the guest gives up is closed; its connections go on.
 *
 * The report is the guest's word: whatever it says, no more than so many ports are bound, and none
 * of those that are to be kept.
 *
 * Thread-safety: of one thread and its event loop.
 */

#include <stddef.h>

#include <jansson.h>

#include "config/l4_ports.h"
#include "lib/err.h"
#include "lib/ip_addr.h"
#include "lib/port_report.h"

struct event_base;
struct port_mirror;

struct port_mirror_plan {
	const char *vsock; /* the VM's socket; stays the caller's */
	/* Addresses that the guest and the pod have in common; copied. Only where a guard keeps
	 * what comes from outside from being ours. */
	const struct ip_addr *addresses;
	size_t n_addresses;
	struct l4_ports kept; /* never bound */
	unsigned n_ports_max, n_conns_max;
	unsigned patience_ms; /* with an agent that says nothing */
};

/* What is to be bound for a guest that reports *report; no more than PORT_REPORT_MAX. */
void port_mirror_wanted(const struct port_mirror_plan *plan, const struct port_report *report,
	struct port_report *wanted);

/* NULL: no memory. */
struct port_mirror *port_mirror_start(struct event_base *loop, const struct port_mirror_plan *plan);

/* { forwarded: [ "127.0.0.1:80" ], taken: how many are others', connections, refused:
 * connns }; a new reference. */
json_t *port_mirror_status(const struct port_mirror *mirror);

/* May be NULL. */
void port_mirror_free(struct port_mirror *mirror);
