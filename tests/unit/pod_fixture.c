/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/pod_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_rcu_qsbr.h>

#include "switch/datapath/ip.h"

const struct mac mac_a = { { 2, 0, 0, 0, 0, 0xa } };
const struct mac mac_b = { { 2, 0, 0, 0, 0, 0xb } };
const struct mac mac_pod = { { 2, 0, 0, 0, 0, 1 } };
const struct mac mac_host = { { 2, 0, 0, 0, 0, 2 } };
const struct mac mac_gateway = { { 2, 0, 0, 0, 0, 3 } };
const struct mac mac_station = { { 2, 0, 0, 0, 0, 4 } };
const struct mac mac_broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
const struct mac mac_none;
const struct mac mac_invented = POD_INVENTED_MAC;
const struct mac mac_all_nodes = { { 0x33, 0x33, 0, 0, 0, 1 } };
const struct mac mac_group = { { 1, 0, 0x5e, 1, 2, 3 } };

struct ip_addr ip_a(void)
{
	return host(1);
}

struct ip_addr ip_b(void)
{
	return host(2);
}

struct ip_addr ip_gateway(void)
{
	return host(254);
}

struct ip_addr ip_station(void)
{
	return host(99);
}

struct ip_addr ip_service(void)
{
	return ip_addr_v4((uint8_t[]) { 169, 254, 1, 253 });
}

struct ip_addr ip_identity(void)
{
	return ip_addr_v4((uint8_t[]) { 169, 254, 1, 254 });
}

struct ip_addr ip_none(void)
{
	return ip_addr_v4((uint8_t[4]) { 0 });
}

struct ip_addr ip_all_nodes(void)
{
	return (struct ip_addr) { { 0xff, 2, [15] = 1 } };
}

/* --- the pod ---------------------------------------------------------------------------------- */

static void fake_transmit(
	struct port *p, unsigned queue, struct frame **frames, unsigned n, struct counters *c)
{
	struct fake_port *fp = (struct fake_port *)p;

	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = frames[i];
		struct sent *s = &fp->sent[fp->n_sent++];

		assert_true(fp->n_sent <= SENT_MAX && f->len <= SENT_LEN_MAX);
		memcpy(s->byte, f->head, f->head_len);
		s->len = f->head_len;
		for (unsigned k = 0; k < f->n_segs; k++) {
			memcpy(s->byte + s->len, f->seg[k].iov_base, f->seg[k].iov_len);
			s->len += (unsigned)f->seg[k].iov_len;
		}
		assert_int_equal(s->len, f->len);
	}
}

static const struct port_ops fake_ops = { .kind = "fake", .transmit = fake_transmit };

static void make_ports(struct pod_fixture *f)
{
	static const enum port_role role[N_PORTS] = {
		[UPLINK] = PORT_ROLE_UPLINK,
		[GUEST_A] = PORT_ROLE_GUEST,
		[GUEST_B] = PORT_ROLE_GUEST,
		[HOST] = PORT_ROLE_HOST,
	};

	for (unsigned i = 0; i < N_PORTS; i++) {
		f->port[i].port.ops = &fake_ops;
		f->port[i].port.id = (uint16_t)i;
		f->topology.port[i] = f->topology.by_id[i] = &f->port[i].port;
		f->pod.port[i] = (struct pod_port) { .role = role[i], .anti_spoof = true };
	}
	f->topology.n_ports = N_PORTS;
	f->topology.pod = &f->pod;
}

static void make_tables(struct pod_fixture *f)
{
	struct err err;

	f->qsbr = new_qsbr(1);
	f->fdb = fdb_new(64, f->qsbr, &err);
	f->pod.bindings = bindings_new(64, f->qsbr, &err);
	f->pod.neighbours = neigh_cache_new(64, f->qsbr, &err);
	f->pod.dhcp = &f->dhcp;
	assert_true(f->fdb && f->pod.bindings && f->pod.neighbours);
}

static void bind_guest(struct pod_fixture *f, uint16_t port, unsigned n, const struct mac *mac)
{
	const struct ip_addr ip[] = { host(n), host6(n) };

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
			bindings_add(f->pod.bindings, &ip[i], port, BINDING_CONFIGURED, &mac_none),
			0);
		pod_seen(f, ip[i], port, mac);
	}
	pod_seen(f, link_local(n), port, mac);
}

static void bind_service(struct pod_fixture *f)
{
	const struct ip_addr service = ip_service();

	assert_int_equal(
		bindings_add(f->pod.bindings, &service, GUEST_A, BINDING_SERVICE, &mac_none), 0);
}

static void add_gateway(struct pod_fixture *f, struct ip_addr ip)
{
	f->pod.gateway[f->pod.n_gateways++] = ip;
	assert_int_equal(neigh_set_gateway(f->pod.neighbours, &ip, true), 0);
	assert_int_equal(bindings_reserve(f->pod.bindings, &ip), 0);
	neigh_heard(f->pod.neighbours, &f->neighbours, &ip, &mac_gateway, false, f->now_s);
}

static struct pod_fixture *new_pod(void)
{
	struct pod_fixture *f = NULL;

	assert_int_equal(posix_memalign((void **)&f, 64, sizeof(*f)), 0);
	memset(f, 0, sizeof(*f));
	f->now_s = 100;
	f->pod.mac_mode = MAC_MODE_SUBSTITUTE;
	f->pod.neighbour_mode = NEIGHBOURS_AUTO;
	f->pod.uplink = UPLINK;
	f->pod.host = HOST;
	f->pod.only_guest = POD_NO_PORT;
	f->pod.mac = mac_pod;
	f->pod.host_mac = mac_host;
	f->pod.identity = ip_identity();
	make_ports(f);
	make_tables(f);
	bind_service(f);
	return f;
}

int pod_setup(void **state)
{
	struct pod_fixture *f = new_pod();

	bind_guest(f, GUEST_A, 1, &mac_a);
	bind_guest(f, GUEST_B, 2, &mac_b);
	add_gateway(f, ip_gateway());
	add_gateway(f, link_local(254));
	*state = f;
	return 0;
}

int pod_setup_zero(void **state)
{
	struct pod_fixture *f = new_pod();

	bind_guest(f, GUEST_A, 1, &mac_a);
	bind_guest(f, GUEST_B, 2, &mac_b);
	f->pod.mac = mac_none;
	*state = f;
	return 0;
}

int pod_setup_adopt(void **state)
{
	struct pod_fixture *f = new_pod();

	f->pod.mac_mode = MAC_MODE_ADOPT;
	f->pod.only_guest = GUEST_A;
	f->pod.port[GUEST_B] = (struct pod_port) { .role = PORT_ROLE_PEER };
	f->topology.by_id[GUEST_B] = NULL;
	f->topology.port[GUEST_B] = &f->port[HOST].port;
	f->topology.n_ports = N_PORTS - 1;
	add_gateway(f, ip_gateway());
	*state = f;
	return 0;
}

int pod_teardown(void **state)
{
	struct pod_fixture *f = *state;

	fdb_free(f->fdb);
	bindings_free(f->pod.bindings);
	neigh_cache_free(f->pod.neighbours);
	free(f->qsbr);
	free(f);
	return 0;
}

void pod_seen(struct pod_fixture *f, struct ip_addr ip, uint16_t port, const struct mac *mac)
{
	assert_true(binding_check(f->pod.bindings, &f->bindings, &ip, port, mac, f->now_s));
}

/* --- what becomes of a frame ------------------------------------------------------------------ */

/* As ports receive one: the beginning is in the head, the rest is where it was. */
static void receive(struct pod_fixture *f, struct frame *frame, unsigned ingress)
{
	unsigned n = f->len < FRAME_PULL ? f->len : FRAME_PULL;

	*frame = (struct frame) { .len = f->len, .head_len = (uint16_t)n };
	frame->head = frame->head_room + VLAN_TAG_LEN;
	frame->ingress = &f->port[ingress].port;
	memcpy(frame->head, f->wire, n);
	if (n < f->len) {
		frame->seg[0] = (struct iovec) { f->wire + n, f->len - n };
		frame->n_segs = 1;
	}
	assert_true(frame_parse_l2(frame));
}

void send_burst(struct pod_fixture *f, unsigned ingress, unsigned n)
{
	const struct rx_queue from = { &f->port[ingress].port, 0 };

	for (unsigned i = 0; i < N_PORTS; i++)
		f->port[i].n_sent = 0;
	memset(from.port->counters, 0, sizeof(from.port->counters));
	for (unsigned i = 0; i < n; i++)
		receive(f, &f->burst[i], ingress);
	pipeline_run(&f->pipeline, f->fdb, &f->topology, &from, f->burst, n, 0, f->now_s);
}

void send_one(struct pod_fixture *f, unsigned ingress)
{
	send_burst(f, ingress, 1);
}

static void assert_drops(struct pod_fixture *f, unsigned ingress, int why)
{
	const struct counters *c = &f->port[ingress].port.counters[0];

	for (int i = 0; i < DROP_N_REASONS; i++)
		if (c->drop[i] != (i == why))
			fail_msg("dropped %d times: %s", (int)c->drop[i], drop_info[i].name);
}

const uint8_t *assert_sent(struct pod_fixture *f, unsigned ports)
{
	const uint8_t *first = NULL;

	for (unsigned i = 0; i < N_PORTS; i++) {
		bool wanted = ports & ONLY(i);

		if (f->port[i].n_sent != wanted)
			fail_msg("%u frames left by port %u", f->port[i].n_sent, i);
		if (wanted && !first)
			first = f->port[i].sent[0].byte;
	}
	return first;
}

const uint8_t *send_to(struct pod_fixture *f, unsigned ingress, unsigned ports)
{
	send_one(f, ingress);
	assert_drops(f, ingress, -1);
	return assert_sent(f, ports);
}

const uint8_t *sent_by(struct pod_fixture *f, unsigned port)
{
	assert_int_equal(f->port[port].n_sent, 1);
	return f->port[port].sent[0].byte;
}

void send_dropped(struct pod_fixture *f, unsigned ingress, enum drop_reason why)
{
	send_one(f, ingress);
	assert_drops(f, ingress, (int)why);
	(void)assert_sent(f, NOBODY);
}

const uint8_t *send_answered(struct pod_fixture *f, unsigned ingress, const struct mac *mac)
{
	const uint8_t *answer = send_to(f, ingress, ONLY(ingress));

	if (f->wire[12] == 0x08) {
		assert_int_equal(answer[AT_ARP_OP + 1], 2);
		assert_mac_at(answer, AT_ARP_SHA, mac);
		assert_memory_equal(answer + AT_ARP_SPA, f->wire + AT_ARP_TPA, 4);
		assert_memory_equal(answer + AT_ARP_TPA, f->wire + AT_ARP_SPA, 4);
		assert_memory_equal(answer + AT_ARP_THA, f->wire + AT_ARP_SHA, 6);
	} else {
		assert_int_equal(answer[AT_ICMP6], ICMP6_NA);
		assert_memory_equal(answer + AT_ND_TARGET, f->wire + AT_ND_TARGET, 16);
		assert_int_equal(answer[AT_ND_OPTION], ND_TLLA);
		assert_mac_at(answer, AT_ND_OPTION + 2, mac);
		assert_nd_checksum(answer, f->port[ingress].sent[0].len);
	}
	assert_macs(answer, (const struct mac *)(f->wire + 6), mac);
	return answer;
}

void assert_mac_at(const uint8_t *frame, unsigned at, const struct mac *mac)
{
	char is[MAC_TEXT_MAX], expected[MAC_TEXT_MAX];

	if (memcmp(frame + at, mac, sizeof(*mac)) != 0)
		fail_msg("at %u: %s, not %s", at, mac_format((const struct mac *)(frame + at), is),
			mac_format(mac, expected));
}

void assert_macs(const uint8_t *frame, const struct mac *dst, const struct mac *src)
{
	assert_mac_at(frame, 0, dst);
	assert_mac_at(frame, sizeof(*dst), src);
}

void assert_untouched(struct pod_fixture *f, unsigned port)
{
	assert_int_equal(f->port[port].sent[0].len, f->len);
	assert_memory_equal(sent_by(f, port), f->wire, f->len);
}

void assert_addressed(struct pod_fixture *f, unsigned port, const struct mac *dst)
{
	assert_mac_at(sent_by(f, port), 0, dst);
	assert_int_equal(f->port[port].sent[0].len, f->len);
	assert_memory_equal(sent_by(f, port) + 6, f->wire + 6, f->len - 6);
}
