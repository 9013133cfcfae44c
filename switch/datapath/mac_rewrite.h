/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * MAC substitution: guests with addresses of their own behind the one that the network knows the
 * pod by. A frame's Ethernet address is rewritten and, so that the network never hears of the
 * guest's, what ARP, neighbour discovery and DHCPv4 carry of it.
 *
 * ICMPv6 and UDP checksums are mended incrementally (RFC 1624). Where the checksum is partial it
 * covers the pseudo-header alone, which has no link-layer address in it: nothing to mend then.
 *
 * DHCPv4: servers and relays that compare chaddr with the Ethernet source (DHCP snooping) drop a
 * request in which they differ, so chaddr is rewritten where it is the guest's own. The answer
 * comes for the pod's address; the transaction id tells which guest asked.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/mac.h"
#include "switch/datapath/frame.h"
#include "switch/datapath/neigh_packet.h"

/*
 * Towards the network: the frame's source, and every link-layer address in it that is the same,
 * becomes `to`. p: what neigh_parse() said, or NULL if it is not such a packet.
 */
void mac_rewrite_source(struct frame *f, const struct neigh_packet *p, const struct mac *to);

/*
 * From the network: the destination, and every link-layer address in it that is `from`, becomes
 * `to`. A multicast destination stays. Either address may be zero, as a device's without link
 * layer.
 */
void mac_rewrite_destination(struct frame *f, const struct neigh_packet *p, const struct mac *from,
	const struct mac *to);

/* --- DHCPv4 ---------------------------------------------------------------------------------- */

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68

/* What a DHCPv4 message is about (RFC 2131, section 2). */
struct dhcp_message {
	bool from_client;
	uint32_t xid;
	uint16_t chaddr_at;   /* offset in the head */
	uint16_t checksum_at; /* of UDP; 0: there is none */
};

/*
 * Whether f (its L2 is parsed) is one whose chaddr is an Ethernet address; pulls the head as far as
 * needed. A client's goes to the server's port and a server's to the client's; relays' do not
 * count. The message ends within its frame, but what is behind chaddr may lie in segments, unread.
 */
bool dhcp_parse(struct frame *f, struct dhcp_message *m);

/* Puts another client hardware address in, and mends the checksum if there is one. */
void dhcp_set_chaddr(struct frame *f, const struct dhcp_message *m, const struct mac *to);
