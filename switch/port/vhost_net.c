/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_net.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "switch/port/vhost_net_port.h"

/* UDP segmentation offload, virtio 1.2; newer than this distribution's headers. */
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO   56
#endif

#define BIT(n) (1ull << (n))

/* Feature bits, what they let us send to the guest, and what they are called. */
static const struct feature {
	unsigned bit;
	unsigned caps;
	const char *name;
} features[] = {
	{ VIRTIO_NET_F_CSUM, 0, "csum" },
	{ VIRTIO_NET_F_GUEST_CSUM, EGRESS_CSUM | EGRESS_DATA_VALID, "guest_csum" },
	{ VIRTIO_NET_F_MTU, 0, "mtu" },
	{ VIRTIO_NET_F_MAC, 0, "mac" },
	{ VIRTIO_NET_F_GUEST_TSO4, EGRESS_TSO4, "guest_tso4" },
	{ VIRTIO_NET_F_GUEST_TSO6, EGRESS_TSO6, "guest_tso6" },
	{ VIRTIO_NET_F_GUEST_ECN, EGRESS_ECN, "guest_ecn" },
	{ VIRTIO_NET_F_HOST_TSO4, 0, "host_tso4" },
	{ VIRTIO_NET_F_HOST_TSO6, 0, "host_tso6" },
	{ VIRTIO_NET_F_HOST_ECN, 0, "host_ecn" },
	{ VIRTIO_NET_F_MRG_RXBUF, 0, "mrg_rxbuf" },
	{ VIRTIO_RING_F_INDIRECT_DESC, 0, "indirect_desc" },
	{ VIRTIO_RING_F_EVENT_IDX, 0, "event_idx" },
	{ VHOST_F_PROTOCOL_FEATURES, 0, "protocol_features" },
	{ VIRTIO_F_VERSION_1, 0, "version_1" },
	{ VIRTIO_NET_F_GUEST_USO4, EGRESS_USO4, "guest_uso4" },
	{ VIRTIO_NET_F_GUEST_USO6, EGRESS_USO6, "guest_uso6" },
	{ VIRTIO_NET_F_HOST_USO, 0, "host_uso" },
};
#define N_FEATURES (sizeof(features) / sizeof(features[0]))

static uint64_t offered_features(const struct port_config *c)
{
	uint64_t f = BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_F_PROTOCOL_FEATURES);

	if (c->offload_csum)
		f |= BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM);
	if (c->offload_csum && c->offload_tso)
		f |= BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) |
		     BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_HOST_TSO4) |
		     BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN);
	if (c->offload_csum && c->offload_uso)
		f |= BIT(VIRTIO_NET_F_GUEST_USO4) | BIT(VIRTIO_NET_F_GUEST_USO6) |
		     BIT(VIRTIO_NET_F_HOST_USO);
	if (c->mergeable)
		f |= BIT(VIRTIO_NET_F_MRG_RXBUF);
	if (c->indirect)
		f |= BIT(VIRTIO_RING_F_INDIRECT_DESC);
	if (c->event_idx)
		f |= BIT(VIRTIO_RING_F_EVENT_IDX);
	if (!mac_is_zero(&c->mac))
		f |= BIT(VIRTIO_NET_F_MAC);
	if (c->mtu)
		f |= BIT(VIRTIO_NET_F_MTU);
	return f;
}

static struct vhost_offer make_offer(const struct port_config *c)
{
	struct vhost_offer offer = {
		.features = offered_features(c),
		.protocol_features = BIT(VHOST_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_PROTOCOL_F_MTU) |
				     BIT(VHOST_PROTOCOL_F_BACKEND_REQ) |
				     BIT(VHOST_PROTOCOL_F_CONFIG) |
				     BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS),
		.n_rings = 2,
	};
	struct virtio_net_config space = { .max_virtqueue_pairs = 1, .mtu = c->mtu };

	memcpy(space.mac, c->mac.byte, sizeof(space.mac));
	memcpy(offer.config, &space, sizeof(space));
	return offer;
}

/* Called while parked: what may be sent follows from what was acknowledged. */
static void on_negotiated(struct vhost_user *vu)
{
	struct vhost_port *vp = (struct vhost_port *)((char *)vu - offsetof(struct vhost_port, vu));
	unsigned caps = 0;

	for (size_t i = 0; i < N_FEATURES; i++)
		if (vhost_user_has(vu, features[i].bit))
			caps |= features[i].caps;
	vp->mergeable = vhost_user_has(vu, VIRTIO_NET_F_MRG_RXBUF);
	vp->hdr_len = vhost_user_has(vu, VIRTIO_F_VERSION_1) || vp->mergeable
			      ? sizeof(struct vnet_hdr_mrg)
			      : sizeof(struct vnet_hdr);
	vp->caps = caps & EGRESS_CSUM ? caps : 0;
	vp->landing.valid = false;
	vp->refill_level = 0;
	vp->refill_known = false;
	vp->n_held = 0;
}

void vhost_net_raise(struct vhost_port *vp)
{
	uint64_t one = 1;

	if (write(vp->vu.host->attention_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: attention has been raised */
}

static void net_memory_gone(struct port *p)
{
	struct vhost_port *vp = vhost_port(p);

	virtqueue_break(&vp->vu.ring[RING_INGRESS], VIRTQUEUE_FAULT_MEMORY);
	vhost_net_raise(vp);
}

/* --- sleeping -------------------------------------------------------------------------------- */

/*
 * UML (Linux 6.1) checks for work and then waits for a signal, in two steps: an interrupt between
 * them is handled, but what it woke up runs only after the next timer tick, 10 ms later. So a UML
 * guest that has not reacted by the time we go to sleep is interrupted once more (3 % of the round
 * trips of a UDP ping-pong took 9 ms, 0.2 % with this). Other VMMs use eventfds and are left in
 * peace.
 */
static void nudge_uml(struct vhost_port *vp)
{
	struct virtqueue *out = &vp->vu.ring[RING_EGRESS];

	if (vp->quiet && out->call_is_socket && virtqueue_usable(out))
		(void)virtqueue_signal(out);
	vp->quiet = false;
}

static bool net_arm(struct port *p, unsigned queue)
{
	struct vhost_port *vp = vhost_port(p);
	struct virtqueue *in = &vp->vu.ring[RING_INGRESS];

	nudge_uml(vp);
	return virtqueue_usable(in) && virtqueue_arm(in, in->taken);
}

static void net_disarm(struct port *p, unsigned queue)
{
	struct virtqueue *in = &vhost_port(p)->vu.ring[RING_INGRESS];

	if (virtqueue_usable(in))
		virtqueue_disarm(in);
}

/* --- control --------------------------------------------------------------------------------- */

static enum virtqueue_fault port_fault(const struct vhost_port *vp)
{
	enum virtqueue_fault fault = virtqueue_fault(&vp->vu.ring[RING_INGRESS]);

	if (guest_memory_lost(&vp->vu.memory))
		return VIRTQUEUE_FAULT_MEMORY;
	return fault != VIRTQUEUE_FAULT_NONE ? fault : virtqueue_fault(&vp->vu.ring[RING_EGRESS]);
}

static void net_service(struct port *p)
{
	struct vhost_port *vp = vhost_port(p);
	enum virtqueue_fault fault = port_fault(vp);

	if (fault != VIRTQUEUE_FAULT_NONE)
		vhost_server_disconnect(&vp->server, virtqueue_fault_text[fault]);
}

static json_t *feature_names(uint64_t acknowledged)
{
	json_t *names = json_array();

	for (size_t i = 0; i < N_FEATURES; i++)
		if (acknowledged & BIT(features[i].bit))
			json_array_append_new(names, json_string(features[i].name));
	return names;
}

static void add_hex(json_t *out, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%#" PRIx64, value);
	json_object_set_new(out, key, json_string(text));
}

static json_t *peer_status(const struct vhost_port *vp)
{
	json_t *peer = json_object();

	json_object_set_new(peer, "connected", json_boolean(vp->server.conn_fd >= 0));
	json_object_set_new(
		peer, "pid", vp->server.peer_pid ? json_integer(vp->server.peer_pid) : json_null());
	json_object_set_new(
		peer, "connections", json_integer((json_int_t)vp->server.n_connections));
	add_hex(peer, "features", vp->vu.features);
	json_object_set_new(peer, "feature_names", feature_names(vp->vu.features));
	add_hex(peer, "protocol_features", vp->vu.protocol_features);
	json_object_set_new(peer, "queues", json_integer(vp->vu.offer.n_rings / 2));
	json_object_set_new(peer, "memory_regions", json_integer(vp->vu.memory.n));
	return peer;
}

static json_t *ring_status(const struct vhost_port *vp, unsigned i)
{
	static const char *const state_name[] = { "stopped", "parked", "disabled", "live" };
	const struct virtqueue *vq = &vp->vu.ring[i];
	enum virtqueue_state state = virtqueue_state(vq);
	bool mapped = state == VIRTQUEUE_LIVE;

	return json_pack("{s:i, s:s, s:i, s:s, s:b, s:b, s:i}", "queue", (int)(i / 2), "direction",
		i == RING_INGRESS ? "rx" : "tx", "size", vp->vu.setup[i].size, "state",
		state_name[state], "enabled", state == VIRTQUEUE_LIVE, "event_idx", vq->event_idx,
		"available", mapped ? (int)(uint16_t)(vq->avail->idx - vq->taken) : 0);
}

static const char *down_reason(const struct vhost_port *vp, const char **hint)
{
	if (vp->server.conn_fd < 0 && vp->server.why.text[0]) {
		*hint = "the VMM broke the protocol or its guest broke its ring; start it again";
		return vp->server.why.text;
	}
	if (vp->server.conn_fd < 0) {
		*hint = "start a VMM with a vhost-user network device on this socket";
		return "no VMM is connected";
	}
	if (vp->vu.memory.n == 0) {
		*hint = "wait for the VMM; guest memory must be shared (QEMU: memory-backend-memfd,"
			"share=on)";
		return "the VMM is connected but has not shared the guest's memory yet";
	}
	*hint = "wait for the guest to boot; its virtio-net driver must be loaded and the "
		"interface probed";
	return "the guest's driver has not enabled its queues";
}

static bool is_up(const struct vhost_port *vp)
{
	return virtqueue_state(&vp->vu.ring[RING_EGRESS]) == VIRTQUEUE_LIVE &&
	       virtqueue_state(&vp->vu.ring[RING_INGRESS]) == VIRTQUEUE_LIVE;
}

static void net_status(struct port *p, json_t *out)
{
	const struct vhost_port *vp = vhost_port(p);
	uint16_t mtu = vp->config.mtu ? vp->config.mtu : vp->vu.mtu;
	char mac[MAC_TEXT_MAX];
	json_t *queues = json_array();

	json_object_set_new(out, "operstate", json_string(is_up(vp) ? "up" : "down"));
	if (!is_up(vp)) {
		const char *hint = NULL;
		const char *reason = down_reason(vp, &hint);

		json_object_set_new(out, "reason", json_string(reason));
		json_object_set_new(out, "hint", json_string(hint));
	}
	json_object_set_new(out, "address",
		mac_is_zero(&vp->config.mac) ? json_null()
					     : json_string(mac_format(&vp->config.mac, mac)));
	json_object_set_new(out, "mtu", mtu ? json_integer(mtu) : json_null());
	json_object_set_new(out, "socket_path", json_string(vp->config.socket));
	json_object_set_new(out, "peer", peer_status(vp));
	for (unsigned i = 0; i < vp->vu.offer.n_rings; i++)
		json_array_append_new(queues, ring_status(vp, i));
	json_object_set_new(out, "queues", queues);
}

static void net_close(struct port *p)
{
	struct vhost_port *vp = vhost_port(p);

	vhost_server_close(&vp->server);
	free(vp);
}

static const struct port_ops vhost_net_ops = {
	.kind = "vhost-user",
	.receive = vhost_ingress_receive,
	.release = vhost_ingress_release,
	.transmit = vhost_egress_transmit,
	.landing = vhost_egress_landing,
	.landing_arm = vhost_egress_landing_arm,
	.landing_disarm = vhost_egress_landing_disarm,
	.memory_gone = net_memory_gone,
	.arm = net_arm,
	.disarm = net_disarm,
	.service = net_service,
	.status = net_status,
	.close = net_close,
};

struct port *vhost_net_open(
	const struct port_config *config, const struct port_host *host, struct err *err)
{
	struct vhost_offer offer = make_offer(config);
	struct vhost_port *vp = NULL;

	if (posix_memalign((void **)&vp, 64, sizeof(*vp)) != 0) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	memset(vp, 0, sizeof(*vp));
	vp->port.ops = &vhost_net_ops;
	snprintf(vp->port.name, sizeof(vp->port.name), "%s", config->name);
	vp->config = *config;
	rte_spinlock_init(&vp->egress_lock);
	vp->port.n_queues = 1;
	vhost_user_init(&vp->vu, host, &vp->port, &offer, on_negotiated);
	if (vhost_server_open(&vp->server, &vp->vu, vp->port.name, config->socket, err) < 0) {
		free(vp);
		return NULL;
	}
	return &vp->port;
}
