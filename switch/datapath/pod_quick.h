/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What almost all of a pod's traffic is, decided without leaving the caller: unicast packets that
 * nothing has to be read of but their addresses, from the pod's only guest to its uplink, or from
 * the uplink to a guest, whose bindings are as they were a moment ago. Whatever is otherwise in any
 * respect is left to pod_decide(), which decides the same of these (test_pod_quick.c): it takes
 * some 20 ns for a frame, this a third.
 */

#include "switch/datapath/binding_table.h"
#include "switch/datapath/pod_frame.h"

/* No DHCP, no neighbour discovery, no header in front of one of them. */
static inline bool pod_quick_is_plain(const struct frame *f)
{
	unsigned l3 = f->l3_offset;

	if (f->ethertype == ETHERTYPE_IPV4)
		return l3 + IPV4_HEADER_MIN <= f->head_len && !pod_may_be_dhcp(f);
	return f->ethertype == ETHERTYPE_IPV6 && l3 + IPV6_HEADER_LEN <= f->head_len &&
	       (f->head[l3 + IPV6_NEXT_HEADER] == IP_PROTO_TCP ||
		       f->head[l3 + IPV6_NEXT_HEADER] == IP_PROTO_UDP);
}

static inline struct ip_addr pod_quick_addr(const struct frame *f, unsigned v4_at, unsigned v6_at)
{
	const uint8_t *ip = f->head + f->l3_offset;

	return f->ethertype == ETHERTYPE_IPV4 ? ip_addr_v4(ip + v4_at) : ip_addr_v6(ip + v6_at);
}

static inline bool pod_quick_is_identity(
	const struct pod *pod, const struct frame *f, unsigned v4_at, unsigned v6_at)
{
	struct ip_addr addr;

	if (pod->host == POD_NO_PORT)
		return false;
	addr = pod_quick_addr(f, v4_at, v6_at);
	return ip_addr_equal(&addr, &pod->identity);
}

static inline bool pod_quick_from_guest(const struct pod *pod, struct pod_worker *w, uint16_t from,
	const struct frame *f, uint32_t now_s)
{
	const struct ip_addr src = pod_quick_addr(f, IPV4_SRC, IPV6_SRC);
	const struct addr_table *t = pod->bindings->table;
	uint64_t value;
	int32_t position;

	if (pod->only_guest != from ||
		(pod->mac_mode == MAC_MODE_ADOPT && !pod_mac_equal(frame_src(f), &pod->mac)))
		return false;
	if (pod_quick_is_identity(pod, f, IPV4_DST, IPV6_DST))
		return false;
	position = addr_table_find(t, &w->bindings, &src, &value);
	return position >= 0 && binding_value_is(value, frame_src(f), from) &&
	       owner_origin(addr_value_more(value)) != BINDING_SERVICE &&
	       addr_table_seen(t, position) == now_s;
}

static inline uint16_t pod_quick_from_uplink(
	const struct pod *pod, struct pod_worker *w, struct frame *f)
{
	const struct ip_addr dst = pod_quick_addr(f, IPV4_DST, IPV6_DST);
	struct mac mac;
	uint64_t value;

	if (!pod_mac_equal(frame_dst(f), &pod->mac) || pod_mac_equal(frame_src(f), &pod->mac) ||
		mac_is_zero(&pod->mac) || pod_quick_is_identity(pod, f, IPV4_SRC, IPV6_SRC) ||
		addr_table_find(pod->bindings->table, &w->bindings, &dst, &value) < 0)
		return POD_NO_PORT;
	if (owner_port(addr_value_more(value)) == OWNER_NOBODY ||
		owner_origin(addr_value_more(value)) == BINDING_SERVICE)
		return POD_NO_PORT;
	mac = binding_mac(pod->bindings, value);
	if (mac_is_zero(&mac))
		return POD_NO_PORT;
	if (pod->mac_mode == MAC_MODE_SUBSTITUTE)
		pod_set_dst(f, &mac);
	return owner_port(addr_value_more(value));
}

/* The port that the frame goes to, whose destination it has now; POD_NO_PORT: ask pod_decide(). */
static inline uint16_t pod_quick(
	const struct pod *pod, struct pod_worker *w, uint16_t from, struct frame *f, uint32_t now_s)
{
	if (mac_is_multicast(frame_dst(f)) || !pod_quick_is_plain(f))
		return POD_NO_PORT;
	if (from == pod->uplink)
		return pod_quick_from_uplink(pod, w, f);
	if (pod->port[from].role != PORT_ROLE_GUEST ||
		!pod_quick_from_guest(pod, w, from, f, now_s))
		return POD_NO_PORT;
	return pod->uplink;
}

/* As pod_shape_uplink(). */
static inline void pod_quick_shape_uplink(const struct pod *pod, struct frame *f)
{
	if (pod->mac_mode != MAC_MODE_SUBSTITUTE)
		return;
	if (mac_is_zero(&pod->mac) || !pod_quick_is_plain(f))
		pod_shape_uplink(pod, f);
	else
		pod_set_src(f, &pod->mac);
}
