/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_features.h"

#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "switch/datapath/offload.h"

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
	{ VIRTIO_NET_F_MQ, 0, "mq" },
	{ VIRTIO_RING_F_INDIRECT_DESC, 0, "indirect_desc" },
	{ VIRTIO_RING_F_EVENT_IDX, 0, "event_idx" },
	{ VHOST_F_PROTOCOL_FEATURES, 0, "protocol_features" },
	{ VIRTIO_F_VERSION_1, 0, "version_1" },
	{ VIRTIO_NET_F_GUEST_USO4, EGRESS_USO4, "guest_uso4" },
	{ VIRTIO_NET_F_GUEST_USO6, EGRESS_USO6, "guest_uso6" },
	{ VIRTIO_NET_F_HOST_USO, 0, "host_uso" },
};
#define N_FEATURES (sizeof(features) / sizeof(features[0]))

static uint64_t offered_features(const struct port_config *c, unsigned n_pairs)
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
	/* UML acknowledges whatever is offered and then misses the control queue. */
	if (n_pairs > 1)
		f |= BIT(VIRTIO_NET_F_MQ);
	return f;
}

struct vhost_offer vhost_features_offer(const struct port_config *config, unsigned n_pairs)
{
	struct vhost_offer offer = {
		.features = offered_features(config, n_pairs),
		.protocol_features = BIT(VHOST_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_PROTOCOL_F_MTU) |
				     BIT(VHOST_PROTOCOL_F_BACKEND_REQ) |
				     BIT(VHOST_PROTOCOL_F_CONFIG) |
				     BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |
				     (n_pairs > 1 ? BIT(VHOST_PROTOCOL_F_MQ) : 0),
		.n_rings = 2 * n_pairs,
	};
	struct virtio_net_config space = {
		.max_virtqueue_pairs = (uint16_t)n_pairs,
		.mtu = config->mtu,
	};

	memcpy(space.mac, config->mac.byte, sizeof(space.mac));
	memcpy(offer.config, &space, sizeof(space));
	return offer;
}

unsigned vhost_features_caps(uint64_t acknowledged)
{
	unsigned caps = 0;

	for (size_t i = 0; i < N_FEATURES; i++)
		if (acknowledged & BIT(features[i].bit))
			caps |= features[i].caps;
	return caps & EGRESS_CSUM ? caps : 0;
}

json_t *vhost_features_names(uint64_t acknowledged)
{
	json_t *names = json_array();

	for (size_t i = 0; i < N_FEATURES; i++)
		if (acknowledged & BIT(features[i].bit))
			json_array_append_new(names, json_string(features[i].name));
	return names;
}
