/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_user.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_ring.h>

#include "lib/cleanup.h"

/* --- park and resume ------------------------------------------------------------------------- */

static void set_state(struct virtqueue *vq, enum virtqueue_state state)
{
	__atomic_store_n(&vq->state, state, __ATOMIC_RELEASE);
}

static void park(struct vhost_user *vu)
{
	for (unsigned i = 0; i < vu->offer.n_rings; i++)
		if (virtqueue_state(&vu->ring[i]) != VIRTQUEUE_STOPPED)
			set_state(&vu->ring[i], VIRTQUEUE_PARKED);
	vu->host->quiesce(vu->host->ctx);
}

/* Finds the ring's three areas in our mapping; false if any is not where it was promised. */
static bool map_ring(struct vhost_user *vu, unsigned i)
{
	const struct vhost_ring_setup *s = &vu->setup[i];
	struct virtqueue *vq = &vu->ring[i];
	uint64_t n = s->size;

	vq->size = s->size;
	vq->memory = &vu->memory;
	vq->region = NULL;
	vq->event_idx = vhost_user_has(vu, VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = vhost_user_has(vu, VIRTIO_RING_F_INDIRECT_DESC);
	vq->desc = guest_memory_from_user(&vu->memory, s->desc, n * sizeof(struct vring_desc));
	vq->avail = guest_memory_from_user(&vu->memory, s->avail, 6 + 2 * n);
	vq->used = guest_memory_from_user(&vu->memory, s->used, 6 + 8 * n);
	/* An odd offset into the file would make aligned addresses of the VMM's unaligned here. */
	return vq->desc && vq->avail && vq->used && !((uintptr_t)vq->desc & 15) &&
	       !((uintptr_t)vq->avail & 1) && !((uintptr_t)vq->used & 3);
}

static bool ring_enabled(const struct vhost_user *vu, unsigned i)
{
	const struct vhost_ring_setup *s = &vu->setup[i];

	/* UML drops the feature and sends SET_VRING_ENABLE all the same: at reset, to have its ring
	 * left alone before it frees the memory. */
	return s->enable_told ? s->enabled : !vhost_user_has(vu, VHOST_F_PROTOCOL_FEATURES);
}

static void resume(struct vhost_user *vu)
{
	bool started[VHOST_RINGS_MAX] = { false };
	bool any = false;

	if (vu->negotiated)
		vu->negotiated(vu);
	for (unsigned i = 0; i < vu->offer.n_rings; i++) {
		struct vhost_ring_setup *s = &vu->setup[i];
		struct virtqueue *vq = &vu->ring[i];

		if (!s->started || !s->has_addr || s->size == 0 || !map_ring(vu, i)) {
			s->running = false;
			set_state(vq, VIRTQUEUE_STOPPED);
			continue;
		}
		if (!s->running) {
			virtqueue_start(vq);
			s->running = true;
			started[i] = true;
		}
		if (virtqueue_fault(vq) != VIRTQUEUE_FAULT_NONE) {
			set_state(vq, VIRTQUEUE_STOPPED);
			continue;
		}
		set_state(vq, ring_enabled(vu, i) ? VIRTQUEUE_LIVE : VIRTQUEUE_DISABLED);
		any = true;
	}
	for (unsigned i = 0; i < vu->offer.n_rings; i++)
		if (started[i])
			virtqueue_signal(&vu->ring[i]);
	if (any)
		vu->host->wake(vu->host->ctx);
}

/* --- handlers: 0, 1 (m is the reply) or a negative errno ------------------------------------- */

static int reply_u64(struct vhost_message *m, uint64_t value)
{
	m->payload.u64 = value;
	m->header.size = sizeof(m->payload.u64);
	return 1;
}

static int get_features(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	return reply_u64(m, vu->offer.features);
}

static int set_features(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	uint64_t wanted = m->payload.u64;

	if (wanted & ~vu->offer.features)
		return err_set(err, -EINVAL,
			"acknowledges features that were not offered: %#" PRIx64,
			wanted & ~vu->offer.features);
	vu->features = wanted;
	return 0;
}

static int get_protocol_features(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	return reply_u64(m, vu->offer.protocol_features);
}

static int set_protocol_features(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	uint64_t wanted = m->payload.u64;

	if (wanted & ~vu->offer.protocol_features)
		return err_set(err, -EINVAL,
			"acknowledges protocol features that were not offered: %#" PRIx64,
			wanted & ~vu->offer.protocol_features);
	vu->protocol_features = wanted;
	return 0;
}

/* The connection is the owner. */
static int set_owner(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	return 0;
}

static int reset_owner(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	for (unsigned i = 0; i < vu->offer.n_rings; i++) {
		vu->setup[i].enabled = false;
		vu->setup[i].enable_told = true;
	}
	return 0;
}

static int get_queue_num(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	return reply_u64(m, vu->offer.n_rings / 2);
}

static int set_mem_table(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	const struct vhost_memory_payload *p = &m->payload.memory;
	uint32_t n = p->n_regions;

	if (n > VHOST_TABLE_REGIONS || m->n_fds != n ||
		m->header.size < 8 + n * sizeof(struct vhost_user_region))
		return err_set(err, -EPROTO, "table of %u regions with %zu descriptors in %u bytes",
			n, m->n_fds, m->header.size);
	guest_memory_clear(&vu->memory);
	for (uint32_t i = 0; i < n; i++) {
		int ret = guest_memory_add(&vu->memory, &p->region[i], m->fd[i], err);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int get_max_mem_slots(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	return reply_u64(m, GUEST_MEMORY_REGIONS_MAX);
}

static int add_mem_reg(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	return guest_memory_add(&vu->memory, &m->payload.region.region, m->fd[0], err);
}

static int rem_mem_reg(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	int ret = guest_memory_remove(&vu->memory, &m->payload.region.region);

	return ret < 0 ? err_set(err, ret, "no such memory region") : 0;
}

static int check_index(const struct vhost_user *vu, uint64_t index, struct err *err)
{
	if (index >= vu->offer.n_rings)
		return err_set(err, -EINVAL, "ring %" PRIu64 " of %u", index, vu->offer.n_rings);
	return 0;
}

static int set_vring_num(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	uint32_t num = m->payload.state.num;
	int ret = check_index(vu, m->payload.state.index, err);

	if (ret < 0)
		return ret;
	if (num == 0 || num > VIRTQUEUE_SIZE_MAX || num & (num - 1))
		return err_set(err, -EINVAL, "ring size %u is not a power of two up to %u", num,
			VIRTQUEUE_SIZE_MAX);
	vu->setup[m->payload.state.index].size = (uint16_t)num;
	return 0;
}

static int set_vring_addr(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	const struct vhost_vring_addr_payload *a = &m->payload.addr;
	int ret = check_index(vu, a->index, err);
	struct vhost_ring_setup *s;

	if (ret < 0)
		return ret;
	if (a->flags)
		return err_set(err, -EINVAL, "asks for a dirty log that was not offered");
	if (a->desc & 15 || a->avail & 1 || a->used & 3)
		return err_set(err, -EINVAL, "ring %u is not aligned", a->index);
	s = &vu->setup[a->index];
	s->running = false; /* a ring set up anew, see vhost_user.h */
	s->desc = a->desc;
	s->avail = a->avail;
	s->used = a->used;
	s->has_addr = true;
	return 0;
}

/* Our rings resume from the used index (vhost_user.h), so the base says nothing new. */
static int set_vring_base(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	int ret = check_index(vu, m->payload.state.index, err);

	if (ret == 0)
		vu->setup[m->payload.state.index].running = false;
	return ret;
}

static void drop_kick(struct vhost_user *vu, unsigned i)
{
	struct virtqueue *vq = &vu->ring[i];

	if (vq->kick_fd < 0)
		return;
	vu->host->unwatch(vu->host->ctx, vq->kick_fd);
	close(steal_fd(&vq->kick_fd));
}

static int get_vring_base(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	uint32_t i = m->payload.state.index;
	int ret = check_index(vu, i, err);

	if (ret < 0)
		return ret;
	vu->setup[i].started = false;
	drop_kick(vu, i);
	m->payload.state.num = vu->ring[i].taken;
	m->header.size = sizeof(m->payload.state);
	return 1;
}

/* The index and the descriptor (-1: none) of a SET_VRING_KICK, _CALL or _ERR. */
static int vring_fd(
	struct vhost_user *vu, struct vhost_message *m, uint32_t *index, int *fd, struct err *err)
{
	uint64_t value = m->payload.u64;
	bool none = value & VHOST_VRING_NO_FD;
	int ret = check_index(vu, value & VHOST_VRING_IDX_MASK, err);

	if (ret < 0)
		return ret;
	if (m->n_fds != (none ? 0 : 1))
		return err_set(err, -EPROTO, "%zu descriptors where %d belongs", m->n_fds, !none);
	*index = value & VHOST_VRING_IDX_MASK;
	*fd = none ? -1 : steal_fd(&m->fd[0]);
	return 0;
}

static bool is_eventfd(int fd)
{
	char link[40], target[32] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, target, sizeof(target) - 1) > 0 &&
	       strcmp(target, "anon_inode:[eventfd]") == 0;
}

static bool is_unix_socket(int fd)
{
	int domain;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/*
 * Workers write to the call descriptor and wait for the kick descriptor, so neither should be able
 * to block them: an eventfd, non-blocking, or (UML's call descriptor; `is_socket` is not NULL) a
 * unix socket. Files are refused, their file system may never answer. A VMM can still make the
 * eventfd block again behind our back: virtqueue_signal() says what happens then.
 */
static int check_signal_fd(int fd, bool *is_socket, struct err *err)
{
	bool socket = is_socket && is_unix_socket(fd);
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (!socket && !is_eventfd(fd)))
		return err_set(err, -EINVAL, "the descriptor is not an eventfd");
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_errno(err, errno, "cannot make the descriptor non-blocking");
	if (is_socket)
		*is_socket = socket;
	return 0;
}

static int set_vring_kick(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	cleanup_close int fd = -1;
	uint32_t i = 0;
	int ret = vring_fd(vu, m, &i, &fd, err);

	if (ret < 0)
		return ret;
	if (fd < 0)
		return err_set(err, -EOPNOTSUPP, "ring without kick descriptor (polling mode)");
	ret = check_signal_fd(fd, NULL, err);
	if (ret < 0)
		return ret;
	drop_kick(vu, i);
	/* A guest's receive ring is waited for by whoever wants to send to it. */
	ret = vu->host->watch(vu->host->ctx, vu->port, i & 1 ? i / 2 : QUEUE_ANY, fd);
	if (ret < 0)
		return err_set(err, ret, "kick descriptor of ring %u cannot be waited for", i);
	vu->ring[i].kick_fd = steal_fd(&fd);
	vu->setup[i].started = true;
	return 0;
}

/* VMMs mask a running guest's interrupts with this, so nothing stops for it. */
static int set_vring_call(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	bool is_socket = false;
	cleanup_close int fd = -1;
	uint32_t i = 0;
	int ret = vring_fd(vu, m, &i, &fd, err), old;

	if (ret == 0 && fd >= 0)
		ret = check_signal_fd(fd, &is_socket, err);
	if (ret < 0)
		return ret;
	vu->ring[i].call_is_socket = is_socket;
	old = __atomic_exchange_n(&vu->ring[i].call_fd, steal_fd(&fd), __ATOMIC_ACQ_REL);
	if (old >= 0) {
		vu->host->quiesce(vu->host->ctx);
		close(old);
	}
	/* A signal that went to the old descriptor may have been lost. */
	if (vu->setup[i].running)
		virtqueue_signal(&vu->ring[i]);
	return 0;
}

static int set_vring_err(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	cleanup_close int fd = -1;
	uint32_t i = 0;
	int ret = vring_fd(vu, m, &i, &fd, err);

	if (ret < 0)
		return ret;
	if (vu->setup[i].err_fd >= 0)
		close(vu->setup[i].err_fd);
	vu->setup[i].err_fd = steal_fd(&fd);
	return 0;
}

static int set_vring_enable(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	int ret = check_index(vu, m->payload.state.index, err);
	struct vhost_ring_setup *s;

	if (ret < 0)
		return ret;
	s = &vu->setup[m->payload.state.index];
	s->enabled = m->payload.state.num != 0;
	s->enable_told = true;
	return 0;
}

static int net_set_mtu(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	if (m->payload.u64 < 68 || m->payload.u64 > 65535)
		return err_set(err, -EINVAL, "MTU %" PRIu64 " is out of range", m->payload.u64);
	vu->mtu = (uint16_t)m->payload.u64;
	return 0;
}

/*
 * We have nothing to ask the front-end for, but UML (Linux 6.1) only sets up its interrupt if it
 * could open this channel, and minds when it is closed.
 */
static int set_backend_req_fd(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	if (m->n_fds != 1)
		return err_set(err, -EPROTO, "no descriptor");
	if (vu->backend_req_fd >= 0)
		close(vu->backend_req_fd);
	vu->backend_req_fd = steal_fd(&m->fd[0]);
	return 0;
}

static int get_config(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	struct vhost_config_payload *c = &m->payload.config;

	if (c->size > VHOST_CONFIG_MAX || c->offset > VHOST_CONFIG_MAX - c->size ||
		m->header.size < offsetof(struct vhost_config_payload, region) + c->size) {
		m->header.size = 0; /* the protocol's way to say no */
		return 1;
	}
	memcpy(c->region, vu->offer.config + c->offset, c->size);
	m->header.size = (uint32_t)offsetof(struct vhost_config_payload, region) + c->size;
	return 1;
}

/* Nothing in our configuration space is the driver's to write. */
static int set_config(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	return 0;
}

/* --- the table ------------------------------------------------------------------------------- */

#define PARKS    (1u << 0) /* changes what workers look at */
#define REPLIES  (1u << 1) /* has a reply of its own */
#define NEEDS(f) (1ull << VHOST_PROTOCOL_F_##f)

struct rule {
	const char *name;
	int (*handle)(struct vhost_user *vu, struct vhost_message *m, struct err *err);
	uint16_t size_min, size_max;
	uint8_t fds_max; /* fewer are the handler's to judge */
	uint8_t flags;
	uint64_t needs; /* protocol features, any of */
};

#define U64    8, 8
#define STATE  8, 8
#define ADDR   40, 40
#define REGION 40, 40
#define TABLE  8, sizeof(struct vhost_memory_payload)
#define CONFIG 12, sizeof(struct vhost_config_payload)

static const struct rule rules[VHOST_N_REQUESTS] = {
	[VHOST_GET_FEATURES] = { "GET_FEATURES", get_features, 0, 0, 0, REPLIES, 0 },
	[VHOST_SET_FEATURES] = { "SET_FEATURES", set_features, U64, 0, PARKS, 0 },
	[VHOST_SET_OWNER] = { "SET_OWNER", set_owner, 0, 0, 0, 0, 0 },
	[VHOST_RESET_OWNER] = { "RESET_OWNER", reset_owner, 0, 0, 0, PARKS, 0 },
	[VHOST_SET_MEM_TABLE] = { "SET_MEM_TABLE", set_mem_table, TABLE, 8, PARKS, 0 },
	[VHOST_SET_VRING_NUM] = { "SET_VRING_NUM", set_vring_num, STATE, 0, PARKS, 0 },
	[VHOST_SET_VRING_ADDR] = { "SET_VRING_ADDR", set_vring_addr, ADDR, 0, PARKS, 0 },
	[VHOST_SET_VRING_BASE] = { "SET_VRING_BASE", set_vring_base, STATE, 0, PARKS, 0 },
	[VHOST_GET_VRING_BASE] = { "GET_VRING_BASE", get_vring_base, STATE, 0, PARKS | REPLIES, 0 },
	[VHOST_SET_VRING_KICK] = { "SET_VRING_KICK", set_vring_kick, U64, 1, PARKS, 0 },
	[VHOST_SET_VRING_CALL] = { "SET_VRING_CALL", set_vring_call, U64, 1, 0, 0 },
	[VHOST_SET_VRING_ERR] = { "SET_VRING_ERR", set_vring_err, U64, 1, 0, 0 },
	[VHOST_GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", get_protocol_features, 0, 0, 0,
		REPLIES, 0 },
	[VHOST_SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", set_protocol_features, U64, 0, 0,
		0 },
	[VHOST_GET_QUEUE_NUM] = { "GET_QUEUE_NUM", get_queue_num, 0, 0, 0, REPLIES, NEEDS(MQ) },
	[VHOST_SET_VRING_ENABLE] = { "SET_VRING_ENABLE", set_vring_enable, STATE, 0, PARKS, 0 },
	[VHOST_NET_SET_MTU] = { "NET_SET_MTU", net_set_mtu, U64, 0, 0, NEEDS(MTU) },
	[VHOST_SET_BACKEND_REQ_FD] = { "SET_BACKEND_REQ_FD", set_backend_req_fd, 0, 0, 1, 0,
		NEEDS(BACKEND_REQ) },
	[VHOST_GET_CONFIG] = { "GET_CONFIG", get_config, CONFIG, 0, REPLIES, NEEDS(CONFIG) },
	[VHOST_SET_CONFIG] = { "SET_CONFIG", set_config, CONFIG, 0, 0, NEEDS(CONFIG) },
	[VHOST_GET_MAX_MEM_SLOTS] = { "GET_MAX_MEM_SLOTS", get_max_mem_slots, 0, 0, 0, REPLIES,
		NEEDS(CONFIGURE_MEM_SLOTS) },
	[VHOST_ADD_MEM_REG] = { "ADD_MEM_REG", add_mem_reg, REGION, 1, PARKS,
		NEEDS(CONFIGURE_MEM_SLOTS) },
	[VHOST_REM_MEM_REG] = { "REM_MEM_REG", rem_mem_reg, REGION, 1, PARKS,
		NEEDS(CONFIGURE_MEM_SLOTS) },
};

const char *vhost_request_name(uint32_t request)
{
	return request < VHOST_N_REQUESTS ? rules[request].name : NULL;
}

static int check_rule(const struct vhost_user *vu, const struct rule *rule,
	const struct vhost_message *m, struct err *err)
{
	if (m->header.size < rule->size_min || m->header.size > rule->size_max)
		return err_set(err, -EPROTO, "payload of %u bytes", m->header.size);
	if (m->n_fds > rule->fds_max)
		return err_set(err, -EPROTO, "%zu descriptors", m->n_fds);
	if (rule->needs && !(vu->protocol_features & rule->needs))
		return err_set(err, -EPROTO, "its protocol feature was not negotiated");
	if (m->header.request == VHOST_ADD_MEM_REG && m->n_fds != 1)
		return err_set(err, -EPROTO, "no descriptor");
	return 0;
}

static int carry_out(
	struct vhost_user *vu, const struct rule *rule, struct vhost_message *m, struct err *err)
{
	int ret = check_rule(vu, rule, m, err);

	if (ret < 0)
		return ret;
	if (!(rule->flags & PARKS))
		return rule->handle(vu, m, err);
	park(vu);
	ret = rule->handle(vu, m, err);
	resume(vu);
	return ret;
}

static bool wants_ack(const struct vhost_user *vu, const struct vhost_message *m)
{
	return m->header.flags & VHOST_FLAG_NEED_ACK &&
	       vu->protocol_features >> VHOST_PROTOCOL_F_REPLY_ACK & 1;
}

int vhost_user_handle(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	const char *name = vhost_request_name(m->header.request);
	int ret;

	if (!name)
		return err_set(err, -EOPNOTSUPP, "request %u is not supported", m->header.request);
	ret = carry_out(vu, &rules[m->header.request], m, err);
	if (ret < 0)
		return err_wrap(err, ret, "%s", name);
	/* After the fact: UML wants the message acknowledged by which it negotiates REPLY_ACK. */
	if (ret == 0 && wants_ack(vu, m))
		ret = reply_u64(m, 0);
	if (ret == 1)
		m->header.flags = VHOST_VERSION | VHOST_FLAG_REPLY;
	return ret;
}

bool vhost_user_nack(const struct vhost_user *vu, struct vhost_message *m)
{
	const char *name = vhost_request_name(m->header.request);

	if (!wants_ack(vu, m) || (name && rules[m->header.request].flags & REPLIES))
		return false;
	reply_u64(m, 1);
	m->header.flags = VHOST_VERSION | VHOST_FLAG_REPLY;
	return true;
}

/* --- life ------------------------------------------------------------------------------------ */

static void clear_setup(struct vhost_user *vu)
{
	vu->features = 0;
	vu->protocol_features = 0;
	vu->mtu = 0;
	vu->backend_req_fd = -1;
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++)
		vu->setup[i] = (struct vhost_ring_setup) { .err_fd = -1 };
}

void vhost_user_init(struct vhost_user *vu, const struct port_host *host, const struct port *port,
	const struct vhost_offer *offer, void (*negotiated)(struct vhost_user *vu))
{
	*vu = (struct vhost_user) {
		.host = host, .port = port, .offer = *offer, .negotiated = negotiated
	};
	clear_setup(vu);
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++)
		virtqueue_init(&vu->ring[i]);
}

void vhost_user_reset(struct vhost_user *vu)
{
	park(vu);
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		struct virtqueue *vq = &vu->ring[i];

		drop_kick(vu, i);
		if (vq->call_fd >= 0)
			close(vq->call_fd);
		if (vu->setup[i].err_fd >= 0)
			close(vu->setup[i].err_fd);
		virtqueue_init(vq);
	}
	if (vu->backend_req_fd >= 0)
		close(vu->backend_req_fd);
	guest_memory_clear(&vu->memory);
	clear_setup(vu);
	if (vu->negotiated)
		vu->negotiated(vu);
	/* Somebody may be waiting for this guest to make room. */
	vu->host->wake(vu->host->ctx);
}
