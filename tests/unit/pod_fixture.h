/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A pod with an uplink, two guests and a host port between fake ports that keep the bytes they are
 * given, and frames to send through it. Anti-spoof is on, the mode is substitute, everybody knows
 * everybody: tests change what they are about.
 */

#include "switch/datapath/neigh_packet.h"
#include "switch/datapath/pipeline.h"
#include "tests/unit/addr_fixture.h"

enum { UPLINK, GUEST_A, GUEST_B, HOST, N_PORTS };

#define ONLY(port)    (1u << (port))
#define NOBODY        0u
#define BOTH_GUESTS   (ONLY(GUEST_A) | ONLY(GUEST_B))
#define SENT_MAX      (BURST_MAX * 2)
#define SENT_LEN_MAX  512
#define SOME_DATA_LEN 32

/* Offsets in untagged frames, as RFC 826, RFC 8200, RFC 4861 and RFC 2131 give them. */
#define AT_L3        14
#define AT_ARP_OP    (AT_L3 + 6)
#define AT_ARP_SHA   (AT_L3 + 8)
#define AT_ARP_SPA   (AT_L3 + 14)
#define AT_ARP_THA   (AT_L3 + 18)
#define AT_ARP_TPA   (AT_L3 + 24)
#define AT_ICMP6     (AT_L3 + 40)
#define AT_ND_FLAGS  (AT_ICMP6 + 4)
#define AT_ND_TARGET (AT_ICMP6 + 8)
#define AT_ND_OPTION (AT_ICMP6 + 24) /* of solicitations and advertisements */
#define AT_RS_OPTION (AT_ICMP6 + 8)
#define AT_CHADDR    (AT_L3 + 20 + 8 + 28)
#define ND_SLLA      1
#define ND_TLLA      2
#define ND_NO_OPTION 0
#define NA_SOLICITED 0x40
#define ICMP6_RS     133
#define ICMP6_RA     134
#define ICMP6_NS     135
#define ICMP6_NA     136

struct sent {
	uint8_t byte[SENT_LEN_MAX];
	unsigned len;
};

struct fake_port {
	struct port port;
	unsigned n_sent;
	struct sent sent[SENT_MAX];
};

struct pod_fixture {
	struct rte_rcu_qsbr *qsbr;
	struct fdb *fdb;
	struct dhcp_clients dhcp;
	struct pod pod;
	struct pipeline pipeline;
	struct fake_port port[N_PORTS];
	struct frame burst[BURST_MAX];
	uint8_t wire[SENT_LEN_MAX]; /* the frame to be sent */
	unsigned len;
	uint32_t now_s;
	struct addr_cache bindings; /* of a worker that only prepares */
	struct addr_cache neighbours;
	struct topology topology; /* without queues */
};

int pod_setup(void **state);
int pod_teardown(void **state);

/* One guest, A, that has adopted the pod's MAC. Its addresses are not configured. */
int pod_setup_adopt(void **state);

/* An uplink without link layer, whose gateway no table knows. */
int pod_setup_zero(void **state);

/* Who is who. */
extern const struct mac mac_a, mac_b, mac_pod, mac_host, mac_gateway, mac_station, mac_broadcast;
extern const struct mac mac_none, mac_invented, mac_all_nodes, mac_group;
struct ip_addr ip_a(void);
struct ip_addr ip_b(void);
struct ip_addr ip_gateway(void);
struct ip_addr ip_station(void); /* on the network; nothing is known of it */
struct ip_addr ip_service(void); /* guest A's */
struct ip_addr ip_identity(void);
struct ip_addr ip_none(void);
struct ip_addr ip_all_nodes(void);

/* The guest at the port is seen with an address of its own. */
void pod_seen(struct pod_fixture *f, struct ip_addr ip, uint16_t port, const struct mac *mac);

/* --- the frame that is sent next ------------------------------------------------------------- */

void frame_raw(struct pod_fixture *f, const struct mac *dst, const struct mac *src,
	uint16_t ethertype, unsigned data_len);
/* UDP, ports 5000 to 5001. */
void frame_ip(struct pod_fixture *f, const struct mac *dst, const struct mac *src,
	struct ip_addr from, struct ip_addr to);
void frame_udp(struct pod_fixture *f, const struct mac *dst, const struct mac *src,
	struct ip_addr from, struct ip_addr to, uint16_t from_port, uint16_t to_port);
/* A DHCPv4 message; from_client: to port 67. */
void frame_dhcp(struct pod_fixture *f, const struct mac *dst, const struct mac *src,
	struct ip_addr from, struct ip_addr to, bool from_client, uint32_t xid,
	const struct mac *chaddr);

/* ARP whose Ethernet addresses are sha and, if it is a reply, tha; requests are broadcast. */
void frame_arp_request(
	struct pod_fixture *f, const struct mac *sha, struct ip_addr spa, struct ip_addr tpa);
void frame_arp_reply(struct pod_fixture *f, const struct mac *sha, struct ip_addr spa,
	const struct mac *tha, struct ip_addr tpa);
/* Discovery; `option` is one of ND_, with `mac` in it. */
void frame_nd(struct pod_fixture *f, const struct mac *dst, const struct mac *src,
	struct ip_addr from, struct ip_addr to, uint8_t type, struct ip_addr target, uint8_t option,
	const struct mac *mac);
/* A solicitation as stations send it, and the solicited answer. */
void frame_solicit(
	struct pod_fixture *f, const struct mac *src, struct ip_addr from, struct ip_addr target);
void frame_advert(struct pod_fixture *f, const struct mac *src, struct ip_addr target,
	const struct mac *dst, struct ip_addr to);
void set_dst(struct pod_fixture *f, const struct mac *mac);
/* Puts a VLAN tag in front. */
void put_tag(struct pod_fixture *f, uint16_t tpid, uint16_t vlan);
/* The ICMPv6 checksum, of what is there now. */
void mend_nd(struct pod_fixture *f);

/* --- what becomes of it ----------------------------------------------------------------------- */

/* Sends the frame in by a port: counters and sent frames are of this one alone. */
void send_one(struct pod_fixture *f, unsigned ingress);

/* The same, n (<= BURST_MAX) of it in one burst. */
void send_burst(struct pod_fixture *f, unsigned ingress, unsigned n);

/* It left once by each of `ports` (a mask), by no other, and was not dropped. Returns the copy that
 * the lowest of them was given. */
const uint8_t *assert_sent(struct pod_fixture *f, unsigned ports);
/* Sends it, and so it did. */
const uint8_t *send_to(struct pod_fixture *f, unsigned ingress, unsigned ports);
const uint8_t *sent_by(struct pod_fixture *f, unsigned port);
/* Sends it: it is dropped for this reason. */
void send_dropped(struct pod_fixture *f, unsigned ingress, enum drop_reason why);
/* Sends it: it is answered, with this address. */
const uint8_t *send_answered(struct pod_fixture *f, unsigned ingress, const struct mac *mac);

void assert_macs(const uint8_t *frame, const struct mac *dst, const struct mac *src);
void assert_mac_at(const uint8_t *frame, unsigned at, const struct mac *mac);
/* What left by the port is what was sent, byte by byte. */
void assert_untouched(struct pod_fixture *f, unsigned port);
/* But for the destination. */
void assert_addressed(struct pod_fixture *f, unsigned port, const struct mac *dst);
void assert_nd_checksum(const uint8_t *frame, unsigned len);
