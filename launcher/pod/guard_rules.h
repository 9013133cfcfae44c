/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The guard's rules as nft(8) text: pure functions of what is to be guarded.
 *
 * What the switch's packet socket sees does not change: taps get every frame before the ingress
 * hook does. A frame that is dropped here is one that the pod's own IP stack does not see, and so
 * does not answer.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/l4_ports.h"
#include "lib/ip_addr.h"
#include "lib/mac.h"

#define GUARD_TABLE "sluice_guard"

#define GUARD_SERVICES_MAX 8

/*
 * The pod kernel's ephemeral ports in shared mode, as by its sysctl net.ipv4.ip_local_port_range.
 * They are above what a Linux guest takes by itself (32768 to 60999).
 */
#define GUARD_EPHEMERAL_FIRST 61000
#define GUARD_EPHEMERAL_LAST  65535

enum guard_mode {
	GUARD_OFF,       /* no table */
	GUARD_EXCLUSIVE, /* everything but ARP and ND is the guest's */
	GUARD_SHARED,    /* the pod's kernel keeps some TCP and UDP ports */
	GUARD_REDIRECT,  /* everything is passed to the guest's TAP and back: there is no switch */
};

struct guard_plan {
	char interface[IF_NAMESIZE]; /* see guard_interface_is_plain() */
	enum guard_mode mode;
	struct mac pod_mac;           /* of the interface; zero (netkit): nothing is a reflection */
	struct l4_ports kernel_ports; /* shared */
	struct ip_addr identity;      /* an address of the pod's for its guests; all zero: none */
	struct ip_addr service[GUARD_SERVICES_MAX]; /* the guests' addresses towards it */
	size_t n_services;
	bool host_port; /* there are sluice0 and sluice0p: guard them too */
	/* A guest's: the kernel hears nothing of it; empty: there is none, which redirect must
	 * have.
	 */
	char tap[IF_NAMESIZE];
};

/* nft takes it between quotes, and as a name and no pattern. */
bool guard_interface_is_plain(const char *name);

/*
 * The text that makes the table, in place of one that may be there; with `owned` it has flags
 * owner. Mode off: there is none afterwards. To be freed; NULL: memory is short.
 */
char *guard_rules_create(const struct guard_plan *plan, bool owned);

/*
 * The text that changes the table that is there to these rules; counters go on. Not for mode off;
 * host_port, tap and `owned` are as they were.
 */
char *guard_rules_update(const struct guard_plan *plan, bool owned);
