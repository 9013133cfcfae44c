/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Any frame into a pod with an uplink, two guests and a host port. The input:
 *
 *    1 byte   bits 0-1: the port it comes in by; bit 2: adopt (with one guest), not substitute;
 *             bit 3: no link layer; bit 4: another input behind it uses what this one has taught
 *    1 byte   how much of the frame is in the head
 *    the rest the frame
 *
 * Whatever it is: the uplink sees the pod's MAC address alone, the host port what a guest's service
 * address sends to the identity address alone, and neither address is seen outside.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <rte_rcu_qsbr.h>

#include "switch/control/eal.h"
#include "switch/datapath/ip.h"
#include "switch/datapath/neigh_packet.h"
#include "switch/datapath/pipeline.h"

#define LAYOUT_LEN    2
#define LEN_MAX       2048
#define FLAG_PORT     3
#define FLAG_ADOPT    4
#define FLAG_NO_LINK  8
#define FLAG_REMEMBER 16

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UPLINK, GUEST_A, GUEST_B, HOST, N_PORTS };

static const struct mac mac_a = { { 2, 0, 0, 0, 0, 0xa } };
static const struct mac mac_b = { { 2, 0, 0, 0, 0, 0xb } };
static const struct mac mac_pod = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac mac_host = { { 2, 0, 0, 0, 0, 2 } };
static const struct mac mac_gateway = { { 2, 0, 0, 0, 0, 3 } };
static const struct mac no_mac;

static const uint8_t ip_identity[4] = { 169, 254, 1, 254 };
static const uint8_t ip_service[4] = { 169, 254, 1, 253 };

static struct port port[N_PORTS];
static struct rte_rcu_qsbr *qsbr;
static struct pipeline pipeline;
static struct topology topology;
static struct dhcp_clients dhcp;
static struct pod pod;
static struct fdb *fdb;
static uint32_t now_s = 100;

/* --- what must never happen ------------------------------------------------------------------- */

/* An IPv4 address at this distance from the L3 header; false: there is none. */
static bool has_ip(const struct frame *f, uint16_t ethertype, unsigned at, const uint8_t ip[4])
{
	return f->ethertype == ethertype && f->l3_offset + at + 4u <= f->head_len &&
	       memcmp(f->head + f->l3_offset + at, ip, 4) == 0;
}

/* Who sends from there, asks from there or for it. */
static bool is_inside(const struct frame *f, const uint8_t ip[4])
{
	return has_ip(f, ETHERTYPE_IPV4, 12, ip) || has_ip(f, ETHERTYPE_ARP, 14, ip) ||
	       has_ip(f, ETHERTYPE_ARP, 24, ip);
}

static void check_uplink(const struct frame *f)
{
	must(memcmp(frame_src(f), &pod.mac, sizeof(pod.mac)) == 0);
	must(!is_inside(f, ip_service) && !has_ip(f, ETHERTYPE_ARP, 14, ip_identity));
	if (f->ethertype == ETHERTYPE_ARP)
		must(!mac_is_zero(&pod.mac) &&
			memcmp(f->head + f->l3_offset + 8, &pod.mac, sizeof(pod.mac)) == 0);
}

static void check_host(const struct frame *f)
{
	if (f->ethertype == ETHERTYPE_ARP) /* an answer to a question of its own */
		return;
	must(has_ip(f, ETHERTYPE_IPV4, 12, ip_service) &&
		has_ip(f, ETHERTYPE_IPV4, 16, ip_identity));
	must(memcmp(frame_dst(f), &mac_host, sizeof(mac_host)) == 0);
}

static void check_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c)
{
	for (unsigned i = 0; i < n; i++) {
		must(frames[i]->head_len <= frames[i]->len &&
			frames[i]->head_len <= FRAME_HEAD_MAX);
		if (p->id == UPLINK)
			check_uplink(frames[i]);
		else if (p->id == HOST)
			check_host(frames[i]);
	}
}

/* --- the pod ---------------------------------------------------------------------------------- */

static void bind_address(const char *text, uint16_t to, enum binding_origin origin)
{
	struct ip_addr ip;

	must(ip_addr_parse(text, &ip) == 0);
	must(bindings_add(pod.bindings, &ip, to, origin, &no_mac) == 0);
}

static void bind_all(void)
{
	bind_address("10.0.0.1", GUEST_A, BINDING_CONFIGURED);
	bind_address("fd00::1", GUEST_A, BINDING_CONFIGURED);
	bind_address("10.0.0.2", GUEST_B, BINDING_CONFIGURED);
	bind_address("fd00::2", GUEST_B, BINDING_CONFIGURED);
	bind_address("169.254.1.253", GUEST_A, BINDING_SERVICE);
	bindings_set_told(pod.bindings, GUEST_A, &mac_a);
	bindings_set_told(pod.bindings, GUEST_B, &mac_b);
}

static void add_gateway(const char *text)
{
	struct ip_addr *ip = &pod.gateway[pod.n_gateways++];

	must(ip_addr_parse(text, ip) == 0 &&
		neigh_set_permanent(pod.neighbours, ip, &mac_gateway) == 0 &&
		neigh_set_gateway(pod.neighbours, ip, true) == 0 &&
		bindings_reserve(pod.bindings, ip) == 0);
}

static void make_tables(void)
{
	struct err err;

	must(eal_start(32, false, &err) == 0);
	must(posix_memalign((void **)&qsbr, 64, rte_rcu_qsbr_get_memsize(1)) == 0);
	memset(qsbr, 0, rte_rcu_qsbr_get_memsize(1));
	rte_rcu_qsbr_init(qsbr, 1);
	fdb = fdb_new(64, qsbr, &err);
	pod.bindings = bindings_new(256, qsbr, &err);
	pod.neighbours = neigh_cache_new(256, qsbr, &err);
	must(fdb && pod.bindings && pod.neighbours);
	pod.dhcp = &dhcp;
}

static void make_pod(void)
{
	static const struct port_ops ops = { .kind = "fuzz", .transmit = check_transmit };
	static const enum port_role roles[N_PORTS] = { PORT_ROLE_UPLINK, PORT_ROLE_GUEST,
		PORT_ROLE_GUEST, PORT_ROLE_HOST };

	make_tables();
	for (uint16_t i = 0; i < N_PORTS; i++) {
		port[i].ops = &ops;
		port[i].id = i;
		topology.port[i] = topology.by_id[i] = &port[i];
		pod.port[i] = (struct pod_port) { roles[i], .anti_spoof = true };
	}
	topology.n_ports = N_PORTS;
	topology.pod = &pod;
	pod.uplink = UPLINK;
	pod.host = HOST;
	pod.host_mac = mac_host;
	pod.identity = ip_addr_v4(ip_identity);
	bind_all();
	add_gateway("10.0.0.254");
	add_gateway("fe80::1");
}

static void set_mode(uint8_t flags)
{
	bool adopt = flags & FLAG_ADOPT;

	pod.mac_mode = adopt ? MAC_MODE_ADOPT : MAC_MODE_SUBSTITUTE;
	pod.mac = flags & FLAG_NO_LINK && !adopt ? no_mac : mac_pod;
	pod.only_guest = adopt ? GUEST_A : POD_NO_PORT;
	topology.by_id[GUEST_B] = adopt ? NULL : &port[GUEST_B];
	topology.n_ports = adopt ? N_PORTS - 1 : N_PORTS;
	topology.port[GUEST_B] = adopt ? &port[HOST] : &port[GUEST_B];
	pod.port[GUEST_B].role = adopt ? PORT_ROLE_PEER : PORT_ROLE_GUEST;
}

static void forget(void)
{
	bindings_forget_guest(pod.bindings, GUEST_A);
	bindings_forget_guest(pod.bindings, GUEST_B);
	neigh_flush(pod.neighbours);
	(void)fdb_flush(fdb, FDB_PORT_NONE);
	rte_rcu_qsbr_quiescent(qsbr, 0);
}

/* --- a frame ---------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frame f;
	struct rx_queue from;
	size_t len, head_len;
	uint8_t *rest;

	if (!qsbr)
		make_pod();
	if (size < LAYOUT_LEN + ETH_HEADER_LEN || size > LAYOUT_LEN + LEN_MAX)
		return 0;
	len = size - LAYOUT_LEN;
	head_len = data[1] < ETH_HEADER_LEN ? ETH_HEADER_LEN : data[1];
	head_len = head_len < len ? head_len : len;
	set_mode(data[0]);
	from = (struct rx_queue) { &port[data[0] & FLAG_PORT], 0 };
	f = (struct frame) {
		.len = (uint32_t)len, .head_len = (uint16_t)head_len, .ingress = from.port
	};
	f.head = f.head_room + VLAN_TAG_LEN;
	memcpy(f.head, data + LAYOUT_LEN, head_len);
	rest = malloc(len - head_len + 1);
	must(rest);
	memcpy(rest, data + LAYOUT_LEN + head_len, len - head_len);
	f.n_segs = len > head_len;
	f.seg[0] = (struct iovec) { rest, len - head_len };
	if (frame_parse_l2(&f))
		pipeline_run(&pipeline, fdb, &topology, &from, &f, 1, 0, ++now_s / 16);
	if (!(data[0] & FLAG_REMEMBER))
		forget();
	free(rest);
	return 0;
}
