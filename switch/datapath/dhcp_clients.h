/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which guest a DHCPv4 answer is for. In substitute mode a request goes out with the pod's MAC
 * address for the client's, so its answer names that, and often an IP address that nobody is bound
 * to yet. What the two have in common is the transaction id, 32 bits that the client chose.
 *
 * A small direct-mapped table: a request overwrites whatever had its place. Two guests that choose
 * the same id, by chance or on purpose, can take each other's answer for the time of an exchange,
 * as stations of one network segment always could.
 *
 * Thread-safety: any worker may do either, at the same time: an entry is two words, each written
 * whole, of which the first names the id. A reader that meets a half-written one takes the
 * answer to one of the two guests that share the place.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/mac.h"

#define DHCP_CLIENTS 256u

struct dhcp_client {
	uint64_t id;  /* transaction id and port, and a bit that says there is one */
	uint64_t mac; /* the guest's */
};

/* Zero-initialised. */
struct dhcp_clients {
	struct dhcp_client client[DHCP_CLIENTS];
};

static inline struct dhcp_client *dhcp_clients_at(struct dhcp_clients *clients, uint32_t xid)
{
	return &clients->client[(xid * 0x9e3779b1u) >> 24];
}

static inline uint64_t dhcp_client_id(uint32_t xid, uint16_t port)
{
	return (uint64_t)xid << 32 | (uint64_t)port << 16 | 1;
}

static inline void dhcp_clients_note(
	struct dhcp_clients *clients, uint32_t xid, uint16_t port, const struct mac *mac)
{
	struct dhcp_client *c = dhcp_clients_at(clients, xid);
	uint64_t word = 0;

	memcpy(&word, mac, sizeof(*mac));
	__atomic_store_n(&c->mac, word, __ATOMIC_RELAXED);
	__atomic_store_n(&c->id, dhcp_client_id(xid, port), __ATOMIC_RELEASE);
}

/* False: nobody asked, or somebody else did since. */
static inline bool dhcp_clients_find(
	struct dhcp_clients *clients, uint32_t xid, uint16_t *port, struct mac *mac)
{
	struct dhcp_client *c = dhcp_clients_at(clients, xid);
	uint64_t id = __atomic_load_n(&c->id, __ATOMIC_ACQUIRE);
	uint64_t word = __atomic_load_n(&c->mac, __ATOMIC_RELAXED);

	*port = (uint16_t)(id >> 16);
	memcpy(mac, &word, sizeof(*mac));
	return id == dhcp_client_id(xid, *port);
}
