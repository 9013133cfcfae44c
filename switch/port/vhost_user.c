/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_user.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "switch/port/vhost_rings.h"
#include "switch/port/vhost_signal.h"

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

static int set_vring_num(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	uint32_t num = m->payload.state.num;

	if (num == 0 || num > VIRTQUEUE_SIZE_MAX || num & (num - 1))
		return err_set(err, -EINVAL, "ring size %u is not a power of two up to %u", num,
			VIRTQUEUE_SIZE_MAX);
	vu->setup[m->payload.state.index].size = (uint16_t)num;
	return 0;
}

static int set_vring_addr(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	const struct vhost_vring_addr_payload *a = &m->payload.addr;
	struct vhost_ring_setup *s = &vu->setup[a->index];

	if (a->flags)
		return err_set(err, -EINVAL, "asks for a dirty log that was not offered");
	if (a->desc & 15 || a->avail & 1 || a->used & 3)
		return err_set(err, -EINVAL, "ring %u is not aligned", a->index);
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
	vu->setup[m->payload.state.index].running = false;
	return 0;
}

static int get_vring_base(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	uint32_t i = m->payload.state.index;

	vu->setup[i].started = false;
	vhost_rings_drop_kick(vu, i);
	m->payload.state.num = vu->ring[i].taken;
	m->header.size = sizeof(m->payload.state);
	return 1;
}

/* The descriptor (-1: none) of a SET_VRING_KICK, _CALL or _ERR. */
static int vring_fd(struct vhost_message *m, int *fd, struct err *err)
{
	bool none = m->payload.u64 & VHOST_VRING_NO_FD;

	if (m->n_fds != (none ? 0 : 1))
		return err_set(err, -EPROTO, "%zu descriptors where %d belongs", m->n_fds, !none);
	*fd = none ? -1 : m->fd[0];
	return 0;
}

/* The message's descriptor has found its place. */
static int take_fd(struct vhost_message *m)
{
	return m->n_fds > 0 ? steal_fd(&m->fd[0]) : -1;
}

static int set_vring_kick(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	uint32_t i = m->payload.u64 & VHOST_VRING_IDX_MASK;
	int fd = -1, ret = vring_fd(m, &fd, err);

	if (ret < 0)
		return ret;
	if (fd < 0)
		return err_set(err, -EOPNOTSUPP, "ring without kick descriptor (polling mode)");
	ret = vhost_signal_check(fd, NULL, err);
	if (ret < 0)
		return ret;
	vhost_rings_drop_kick(vu, i);
	/* A guest's receive ring is waited for by whoever wants to send to it. */
	ret = vu->host->watch(vu->host->ctx, vu->port, i & 1 ? i / 2 : QUEUE_ANY, fd);
	if (ret < 0)
		return err_set(err, ret, "kick descriptor of ring %u cannot be waited for", i);
	vu->ring[i].kick_fd = take_fd(m);
	vu->setup[i].started = true;
	return 0;
}

/* VMMs mask a running guest's interrupts with this, so nothing stops for it. */
static int set_vring_call(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	uint32_t i = m->payload.u64 & VHOST_VRING_IDX_MASK;
	bool is_socket = false;
	int fd = -1, ret = vring_fd(m, &fd, err), old;

	if (ret == 0 && fd >= 0)
		ret = vhost_signal_check(fd, &is_socket, err);
	if (ret < 0)
		return ret;
	old = virtqueue_set_call(&vu->ring[i], take_fd(m), is_socket);
	if (old >= 0) {
		vu->host->quiesce(vu->host->ctx);
		foreign_fd_close(vu->closer, old);
	}
	/* A signal that went to the old descriptor may have been lost. */
	if (vu->setup[i].running)
		vhost_rings_owe(vu, i);
	return 0;
}

static int set_vring_err(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	uint32_t i = m->payload.u64 & VHOST_VRING_IDX_MASK;
	int fd = -1, ret = vring_fd(m, &fd, err);

	if (ret == 0 && fd >= 0)
		ret = vhost_signal_check(fd, NULL, err);
	if (ret < 0)
		return ret;
	foreign_fd_close(vu->closer, vu->setup[i].err_fd);
	vu->setup[i].err_fd = take_fd(m);
	return 0;
}

static int set_vring_enable(struct vhost_user *vu, struct vhost_message *m, struct err *err)
{
	struct vhost_ring_setup *s = &vu->setup[m->payload.state.index];

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
	foreign_fd_close(vu->closer, vu->backend_req_fd);
	vu->backend_req_fd = take_fd(m);
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
#define RING     (1u << 2) /* is about the ring whose index the payload begins with */
#define RING_FD  (1u << 3) /* the same, the index is in the low bits */
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
	[VHOST_SET_VRING_NUM] = { "SET_VRING_NUM", set_vring_num, STATE, 0, PARKS | RING, 0 },
	[VHOST_SET_VRING_ADDR] = { "SET_VRING_ADDR", set_vring_addr, ADDR, 0, PARKS | RING, 0 },
	[VHOST_SET_VRING_BASE] = { "SET_VRING_BASE", set_vring_base, STATE, 0, PARKS | RING, 0 },
	[VHOST_GET_VRING_BASE] = { "GET_VRING_BASE", get_vring_base, STATE, 0,
		PARKS | REPLIES | RING, 0 },
	[VHOST_SET_VRING_KICK] = { "SET_VRING_KICK", set_vring_kick, U64, 1, PARKS | RING_FD, 0 },
	[VHOST_SET_VRING_CALL] = { "SET_VRING_CALL", set_vring_call, U64, 1, RING_FD, 0 },
	[VHOST_SET_VRING_ERR] = { "SET_VRING_ERR", set_vring_err, U64, 1, RING_FD, 0 },
	[VHOST_GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", get_protocol_features, 0, 0, 0,
		REPLIES, 0 },
	[VHOST_SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", set_protocol_features, U64, 0, 0,
		0 },
	[VHOST_GET_QUEUE_NUM] = { "GET_QUEUE_NUM", get_queue_num, 0, 0, 0, REPLIES, NEEDS(MQ) },
	[VHOST_SET_VRING_ENABLE] = { "SET_VRING_ENABLE", set_vring_enable, STATE, 0, PARKS | RING,
		0 },
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

/* The ring that the message is about, or VHOST_ALL_RINGS. */
static unsigned ring_of(const struct rule *rule, const struct vhost_message *m)
{
	if (rule->flags & RING)
		return m->payload.state.index;
	return rule->flags & RING_FD ? m->payload.u64 & VHOST_VRING_IDX_MASK : VHOST_ALL_RINGS;
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
	if (rule->flags & (RING | RING_FD) && ring_of(rule, m) >= vu->offer.n_rings)
		return err_set(err, -EINVAL, "ring %u of %u", ring_of(rule, m), vu->offer.n_rings);
	return 0;
}

static int carry_out(
	struct vhost_user *vu, const struct rule *rule, struct vhost_message *m, struct err *err)
{
	int ret = check_rule(vu, rule, m, err);
	unsigned ring = ring_of(rule, m);

	if (ret < 0)
		return ret;
	if (!(rule->flags & PARKS))
		return rule->handle(vu, m, err);
	vhost_rings_park(vu, ring);
	ret = rule->handle(vu, m, err);
	vhost_rings_resume(vu, ring);
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

static void init_ring(struct vhost_user *vu, unsigned i)
{
	virtqueue_init(&vu->ring[i]);
	vu->ring[i].hung = &vu->hung;
}

void vhost_user_init(struct vhost_user *vu, const struct port_host *host, const struct port *port,
	const struct vhost_offer *offer, const struct vhost_hooks *hooks)
{
	*vu = (struct vhost_user) { .host = host, .port = port, .offer = *offer, .hooks = hooks };
	clear_setup(vu);
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++)
		init_ring(vu, i);
}

bool vhost_user_reset(struct vhost_user *vu)
{
	bool hung;

	/* What is owed is not paid any more, and nobody is about to after the grace period. */
	__atomic_store_n(&vu->owed, 0, __ATOMIC_RELAXED);
	vhost_rings_park(vu, VHOST_ALL_RINGS);
	hung = __atomic_exchange_n(&vu->hung, false, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		vhost_rings_drop_kick(vu, i);
		foreign_fd_close(vu->closer, virtqueue_set_call(&vu->ring[i], -1, false));
		foreign_fd_close(vu->closer, vu->setup[i].err_fd);
		init_ring(vu, i);
	}
	foreign_fd_close(vu->closer, vu->backend_req_fd);
	guest_memory_clear(&vu->memory);
	clear_setup(vu);
	vhost_rings_resume(vu, VHOST_ALL_RINGS);
	return hung;
}
