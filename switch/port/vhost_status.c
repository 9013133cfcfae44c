/* SPDX-License-Identifier: BSD-3-Clause */

/* What `port show` says of a vhost-user port: why it is down, who is connected, its queues. */
#include "switch/port/vhost_net_port.h"

#include <inttypes.h>
#include <stdio.h>

#include "switch/port/vhost_features.h"

static void add_hex(json_t *out, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%#" PRIx64, value);
	json_object_set_new(out, key, json_string(text));
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

/* In client mode: how connecting goes. */
static void add_attempts(const struct vhost_socket *s, json_t *peer)
{
	json_object_set_new(peer, "mode", json_string(s->client ? "client" : "server"));
	if (!s->client)
		return;
	json_object_set_new(peer, "attempts", json_integer((json_int_t)s->n_attempts));
	json_object_set_new(peer, "next_attempt_ms",
		s->conn_fd >= 0 ? json_null()
				: json_integer((json_int_t)vhost_socket_retry_in_ms(s)));
	json_object_set_new(peer, "last_error", text_or_null(s->attempt.text));
}

static json_t *memory_status(const struct guest_memory *memory)
{
	json_t *regions = json_array();

	for (unsigned i = 0; i < memory->n; i++) {
		const struct guest_region *r = &memory->region[i];
		json_t *region = json_object();

		add_hex(region, "guest_address", r->guest_addr);
		json_object_set_new(region, "size", json_integer((json_int_t)r->size));
		json_object_set_new(region, "sealed", json_boolean(r->sealed));
		json_array_append_new(regions, region);
	}
	return regions;
}

static json_t *peer_status(const struct vhost_port *vp)
{
	const struct vhost_socket *s = &vp->socket;
	json_t *peer = json_object();

	json_object_set_new(peer, "connected", json_boolean(s->conn_fd >= 0));
	json_object_set_new(peer, "pid", s->peer_pid ? json_integer(s->peer_pid) : json_null());
	json_object_set_new(peer, "connections", json_integer((json_int_t)s->n_connections));
	add_attempts(s, peer);
	add_hex(peer, "features", vp->vu.features);
	json_object_set_new(peer, "feature_names", vhost_features_names(vp->vu.features));
	add_hex(peer, "protocol_features", vp->vu.protocol_features);
	json_object_set_new(peer, "queues", json_integer(vp->port.n_queues));
	json_object_set_new(peer, "memory_regions", json_integer(vp->vu.memory.n));
	json_object_set_new(peer, "memory", memory_status(&vp->vu.memory));
	return peer;
}

static json_t *ring_status(const struct vhost_port *vp, unsigned i)
{
	static const char *const state_name[] = { "stopped", "parked", "disabled", "disabled",
		"live" };
	const struct virtqueue *vq = &vp->vu.ring[i];
	enum virtqueue_state state = virtqueue_state(vq);
	bool mapped = state == VIRTQUEUE_LIVE;
	uint16_t available = mapped ? virtqueue_offered(vq) : 0;

	return json_pack("{s:i, s:s, s:i, s:s, s:b, s:b, s:i}", "queue", (int)(i / 2), "direction",
		i & 1 ? "rx" : "tx", "size", vp->vu.setup[i].size, "state", state_name[state],
		"enabled", state == VIRTQUEUE_LIVE, "event_idx", vq->event_idx, "available",
		(int)available);
}

static const char *down_reason(const struct vhost_port *vp, const char **hint)
{
	if (vp->socket.conn_fd < 0 && vp->socket.why.text[0]) {
		*hint = "the VMM broke the protocol or its guest broke its ring; start it again";
		return vp->socket.why.text;
	}
	if (vp->socket.conn_fd < 0 && vp->socket.client) {
		*hint = "start a VMM that listens there (QEMU: -chardev socket,server=on); it is "
			"tried again for ever";
		return vp->socket.attempt.text[0] ? vp->socket.attempt.text
						  : "connecting to the VMM";
	}
	if (vp->socket.conn_fd < 0) {
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

void vhost_status(struct port *p, json_t *out)
{
	const struct vhost_port *vp = vhost_port(p);
	uint16_t mtu = vp->config.mtu ? vp->config.mtu : vp->vu.mtu;
	char mac[MAC_TEXT_MAX];
	json_t *queues = json_array();

	json_object_set_new(out, "operstate", json_string(vhost_net_is_up(vp) ? "up" : "down"));
	if (!vhost_net_is_up(vp)) {
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
