/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A name server for a guest whose pod asks one on its own loopback (127.0.0.11 of Docker,
 * 127.0.0.53 of systemd-resolved, a node's cache), where no guest can reach it: dnsmasq (package
 * dnsmasq-base) as a child, on the identity address, which the guest alone reaches. It forwards
 * what it is asked, by UDP and TCP, and knows nothing itself: no cache, no hosts, no
 * configuration.
 *
 * It is the user "nobody" without capabilities as soon as it has its sockets, if this process may
 * change to another user and still end it then; else it stays what this process is.
 *
 * One that does not come up is an error. One that ends later is started again, after a tenth of a
 * second and, if it ends soon again, twice as long each time, up to ten seconds.
 *
 * If a server of the pod has port 53 on all addresses, the identity address is one of them: then
 * the guest asks that one, and nothing is started.
 *
 * Thread-safety: main thread.
 */

#include <event2/event.h>

#include "launcher/pod/resolv_conf.h"
#include "launcher/process/child.h"

#define DNS_RELAY_PROGRAM "dnsmasq"

struct dns_relay_plan {
	const char *address;            /* to listen on, as text: IPv4 */
	const struct resolv_conf *conf; /* the pod's: those on loopback are asked */
	int log;                        /* gets what it says; -1: none */
	struct keeper *keeper;
};

struct dns_relay;

/* Whether a guest needs one to reach all that the pod names; none, if it names none. */
bool dns_relay_is_needed(const struct resolv_conf *conf);

/* Starts it and waits until it answers. Nothing of *plan is needed after the call. -ENOENT: there
 * is no dnsmasq; -EIO: it ended; -ETIMEDOUT. */
int dns_relay_start(struct event_base *loop, const struct dns_relay_plan *plan,
	struct dns_relay **out, struct err *err);

/* May be NULL. */
void dns_relay_stop(struct dns_relay *relay);
