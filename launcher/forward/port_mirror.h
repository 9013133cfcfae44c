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
 *   127.0.0.1, ::1             the same
 *   any other                  nowhere
 *
 * All of it is for the pod's own programs: what does not come over its loopback interface is not
 * heard, for it is the guest's by the switch.
 *
 * The report is the guest's word, and the pod's programs trust whom they find on their loopback. So
 * whatever the guest says, no more than so many ports are bound, none of those that are to be kept,
 * and none that a program of the pod was ever seen to listen on (pod_ports.h), not even while that
 * is being started again. The pod's ports are looked at before any is bound, and now and then; one
 * that turns out to be the pod's is given up. (One that starts later than the guest may find its
 * port taken: such ports are to be kept, by naming them.)
 *
 * A port that could not be bound for another reason is tried again now and then. A port that the
 * guest gives up is closed; its connections go on.
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
	struct ip_addr own;   /* on which only Sluice's own servers listen; zero: none do */
	struct l4_ports kept; /* never bound */
	unsigned n_ports_max, n_conns_max;
	unsigned patience_ms; /* with an agent that says nothing */
	unsigned look_ms;     /* how often the pod's ports are looked at */
};

/* What is to be bound for a guest that reports *report; no more than PORT_REPORT_MAX. */
void port_mirror_wanted(const struct port_mirror_plan *plan, const struct port_report *report,
	struct port_report *wanted);

/* NULL: no memory. */
struct port_mirror *port_mirror_start(struct event_base *loop, const struct port_mirror_plan *plan);

/*
 * A new reference to
 *
 *   { forwarded: [ "127.0.0.1:80" ], taken: [ "127.0.0.1:81" ], privileged, over-limit, failed,
 *     connections, refused }
 *
 * Of what the guest listens on: what is bound, what is the pod's, and how many were not bound
 * because that takes CAP_NET_BIND_SERVICE, there are too many, or for another reason; and how many
 * connections there are, and were refused.
 */
json_t *port_mirror_status(const struct port_mirror *mirror);

/* May be NULL. */
void port_mirror_free(struct port_mirror *mirror);
