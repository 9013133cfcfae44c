/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Forwarding in a pod: what the switch does instead of learning where its uplink is the pod's own
 * network, in which all guests are behind one MAC address, the pod's.
 *
 *                 uplink                          guests                      host
 *   knows         the pod's MAC and IPs           MACs and IPs (binding.h)    the identity address
 *   lets in       what is for the pod, multicast  their own addresses only    identity to service
 *   never         reflections of ours             another's MAC or IP, a      anything else
 *                                                 router's announcements
 *
 * From the uplink a frame finds its guest by IP address, ARP by its target. Multicast, and probes
 * that ask whether an address is taken, go to all guests. What no guest is bound to is dropped, and
 * ARP that claims a guest's address is for that guest alone.
 *
 * From a guest a frame goes to the guest that has the IP address and the MAC it is for, to the host
 * port if it is for the identity address, and to the uplink otherwise. The MAC table, which guests
 * can fill with what is not theirs, is asked last. A guest's questions for link-layer addresses are
 * answered here where the answer is known (responder.h), and the answers it gives the network for
 * an address that the pod's kernel has too are dropped: the kernel gives the same.
 *
 * The host port is no part of the network. Only guests reach it, from a service address of theirs
 * to the identity address, and only that goes back. No broadcast enters, none leaves; its ARP is
 * answered here in both directions.
 *
 * Where the uplink's MAC address is zero (a device without link layer that carries Ethernet
 * headers nevertheless: netkit in its L3 mode) both addresses are zero on the wire, nothing there
 * answers ARP, and guests are told an invented address, POD_INVENTED_MAC, for everybody.
 *
 * Thread-safety: struct pod is a part of the topology snapshot, and as immutable. The tables it
 * refers to outlive all snapshots.
 */

#include "config/port_config.h"
#include "switch/datapath/binding.h"
#include "switch/datapath/dhcp_clients.h"
#include "switch/datapath/drop.h"
#include "switch/datapath/frame.h"
#include "switch/datapath/neigh_cache.h"

#define POD_NO_PORT          UINT16_MAX
#define POD_KERNEL_ADDRS_MAX 32
#define POD_GATEWAYS_MAX     16
#define POD_INVENTED_MAC                                                                           \
	{                                                                                          \
		{                                                                                  \
			0xaa, 0xfc, 0x00, 0x00, 0x00, 0x01                                         \
		}                                                                                  \
	}

struct pod_port {
	enum port_role role;
	bool anti_spoof;
	bool point_to_point;
};

struct pod {
	enum mac_mode mac_mode;
	enum neighbour_mode neighbour_mode;
	uint16_t uplink;     /* POD_NO_PORT: it is not there (yet) */
	uint16_t host;       /* POD_NO_PORT: none */
	uint16_t only_guest; /* POD_NO_PORT: there are several, or none */
	struct mac mac;      /* the pod's; zero: no link layer */
	struct mac host_mac; /* of the interface that has the identity address */
	struct ip_addr identity;
	unsigned n_kernel_addrs; /* addresses that the pod's kernel has on the uplink */
	struct ip_addr kernel_addr[POD_KERNEL_ADDRS_MAX];
	unsigned n_gateways;
	struct ip_addr gateway[POD_GATEWAYS_MAX];
	struct bindings *bindings;
	struct neigh_cache *neighbours;
	struct dhcp_clients *dhcp;
	struct pod_port port[FDB_PORT_MAX]; /* by id */
};

/* A worker's; zero-initialised. */
struct pod_worker {
	struct addr_cache bindings;
	struct addr_cache neighbours;
	/* Questions from each port in this second, which it may send on to the network. */
	uint32_t second;
	uint16_t n_questions[FDB_PORT_MAX];
};

enum pod_to {
	POD_DROP,    /* `why` */
	POD_PORT,    /* `port` alone */
	POD_GUESTS,  /* every guest but the one it came from */
	POD_FLOOD,   /* those, and the uplink */
	POD_NETWORK, /* whoever has the destination MAC address: a guest if one was seen with it,
		      * else the uplink */
	POD_ANSWER,  /* back: it asks for an address, which is `mac` */
};

struct pod_verdict {
	enum pod_to to;
	uint16_t port;
	enum drop_reason why;
	struct mac mac;
	bool router;
};

/*
 * Where a frame goes that came in by port `from`; learns from it. Rewrites the destination in place
 * where the frame goes to one port.
 */
struct pod_verdict pod_decide(const struct pod *pod, struct pod_worker *w, uint16_t from,
	struct frame *f, uint32_t now_s);

/* Makes the answer to a question that pod_decide() has judged POD_ANSWER. */
void pod_answer(const struct pod_verdict *verdict, struct frame *question, struct frame *out);

/* Puts the pod's address in place of the guest's, in a frame that leaves by the uplink. */
void pod_shape_uplink(const struct pod *pod, struct frame *f);
