/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/vsock/vsock.h"

#include <string.h>
#include <sys/random.h>

#include "lib/log.h"
#include "switch/vsock/vsock_conn.h"

/* Where the host's ports begin, for connections that the host asks for; they are far from what
 * services of the host are likely to be called. */
#define FIRST_PORT 0x40000000u
#define LAST_PORT  0x7fffffffu

#define TURNS_PER_ROUND 64

/* --- the table ------------------------------------------------------------------------------- */

static struct vsock_conn_list *bucket_of(struct vsock *v, uint32_t host_port, uint32_t guest_port)
{
	uint64_t x = ((uint64_t)host_port << 32 | guest_port) ^ v->seed;

	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 29 ^ v->seed) * 0xbf58476d1ce4e5b9u;
	return &v->bucket[(x >> 40) % VSOCK_BUCKETS];
}

static struct vsock_conn *find(struct vsock *v, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_conn *c;

	TAILQ_FOREACH (c, bucket_of(v, host_port, guest_port), bucket_link)
		if (c->host_port == host_port && c->guest_port == guest_port)
			return c;
	return NULL;
}

uint32_t vsock_new_port(struct vsock *v, uint32_t guest_port)
{
	uint32_t port;

	do {
		port = v->next_port;
		v->next_port = port == LAST_PORT ? FIRST_PORT : port + 1;
	} while (find(v, port, guest_port));
	return port;
}

void vsock_enter(struct vsock *v, struct vsock_conn *c)
{
	struct vsock_conn_list *bucket = bucket_of(v, c->host_port, c->guest_port);

	TAILQ_INSERT_HEAD(bucket, c, bucket_link);
	c->known = true;
}

void vsock_leave(struct vsock *v, struct vsock_conn *c)
{
	struct vsock_conn_list *bucket = bucket_of(v, c->host_port, c->guest_port);

	TAILQ_REMOVE(bucket, c, bucket_link);
	c->known = false;
}

/* --- from the guest -------------------------------------------------------------------------- */

/* To be sent when the guest has a buffer; there is room, see take_some(). */
static void owe_reset(struct vsock *v, const struct vsock_packet *p)
{
	v->reset[(v->first_reset + v->n_resets++) % VSOCK_RESETS_MAX] = (struct vsock_packet) {
		.src_cid = p->dst_cid,
		.dst_cid = p->src_cid,
		.src_port = p->dst_port,
		.dst_port = p->src_port,
		.type = p->type,
		.op = VIRTIO_VSOCK_OP_RST,
	};
}

static bool open_for_guest(struct vsock *v, const struct vsock_packet *p)
{
	int fd;

	if (v->n_conns >= v->n_conns_max) {
		log_limited(LOG_LEVEL_WARN, "connection of the guest's refused",
			log_int("port", p->dst_port), log_str("reason", "too many connections"));
		return false;
	}
	fd = v->ops.connect(v->ops.ctx, p->dst_port);
	return fd >= 0 && vsock_conn_answer(v, fd, p);
}

static bool take(void *ctx, const struct vsock_packet *p, const struct iovec *payload, unsigned n)
{
	struct vsock *v = ctx;
	struct vsock_conn *c;

	/* A sender or receiver that is not there: nobody to answer, and no way to. */
	if (p->src_cid != v->guest_cid || p->dst_cid != VSOCK_CID_HOST)
		return true;
	c = p->type == VIRTIO_VSOCK_TYPE_STREAM ? find(v, p->dst_port, p->src_port) : NULL;
	if (c)
		return vsock_conn_take(c, p, payload, n);
	if (p->op == VIRTIO_VSOCK_OP_RST)
		return true;
	if (p->type != VIRTIO_VSOCK_TYPE_STREAM || p->op != VIRTIO_VSOCK_OP_REQUEST ||
		!open_for_guest(v, p))
		owe_reset(v, p);
	return true;
}

/* At most one burst, and no more than there is room to answer. */
static unsigned take_some(struct vsock *v)
{
	unsigned room = VSOCK_RESETS_MAX - v->n_resets;

	return vsock_rings_take(
		&v->rings, room < VSOCK_BURST_MAX ? room : VSOCK_BURST_MAX, take, v);
}

void vsock_take_all(struct vsock *v)
{
	/* A guest that keeps on sending meanwhile is not waited for. */
	unsigned left = v->rings.tx->size;

	while (left > 0) {
		unsigned n = take_some(v);

		if (n == 0)
			return;
		left = n < left ? left - n : 0;
	}
}

/* --- to the guest ---------------------------------------------------------------------------- */

/* False: the guest has no buffers. */
static bool send_resets(struct vsock *v)
{
	while (v->n_resets > 0) {
		if (!vsock_rings_put(&v->rings, &v->reset[v->first_reset]))
			return false;
		v->first_reset = (v->first_reset + 1) % VSOCK_RESETS_MAX;
		v->n_resets--;
	}
	return true;
}

/* True: there is more to send, and a buffer for it. */
static bool send_some(struct vsock *v)
{
	if (!send_resets(v))
		return false;
	for (unsigned i = 0; i < TURNS_PER_ROUND; i++) {
		struct vsock_conn *c = TAILQ_FIRST(&v->ready);

		if (!c)
			return false;
		TAILQ_REMOVE(&v->ready, c, ready_link);
		TAILQ_INSERT_TAIL(&v->ready, c, ready_link);
		if (vsock_conn_turn(c) == VSOCK_TURN_NO_BUF)
			return false;
	}
	return !TAILQ_EMPTY(&v->ready);
}

bool vsock_run(struct vsock *v)
{
	bool more;

	if (!vsock_rings_up(&v->rings))
		return false;
	virtqueue_disarm(v->rings.tx);
	virtqueue_disarm(v->rings.rx);
	more = take_some(v) == VSOCK_BURST_MAX;
	more |= send_some(v);
	vsock_rings_signal(&v->rings);
	return more && vsock_rings_up(&v->rings);
}

/* An index that the guest has taken back (virtqueue_available()) is different, but no work. */
static bool arm_ring(struct virtqueue *vq)
{
	return virtqueue_arm(vq, vq->taken) && virtqueue_available(vq) > 0;
}

bool vsock_arm(struct vsock *v)
{
	bool waits = v->n_resets > 0 || !TAILQ_EMPTY(&v->ready), more = false;

	if (!vsock_rings_up(&v->rings))
		return false;
	if (waits)
		more |= arm_ring(v->rings.rx);
	if (v->n_resets < VSOCK_RESETS_MAX)
		more |= arm_ring(v->rings.tx);
	return more;
}

/* --- life ------------------------------------------------------------------------------------ */

void vsock_init(struct vsock *v, struct event_base *base, const struct vsock_ops *ops,
	uint64_t guest_cid, unsigned n_conns_max, struct virtqueue *rx, struct virtqueue *tx)
{
	*v = (struct vsock) {
		.base = base,
		.ops = *ops,
		.rings = { .rx = rx, .tx = tx },
		.guest_cid = guest_cid,
		.n_conns_max = n_conns_max < VSOCK_CONNS_MAX ? n_conns_max : VSOCK_CONNS_MAX,
		.next_port = FIRST_PORT,
	};
	TAILQ_INIT(&v->conns);
	TAILQ_INIT(&v->ready);
	for (unsigned i = 0; i < VSOCK_BUCKETS; i++)
		TAILQ_INIT(&v->bucket[i]);
	(void)!getrandom(&v->seed, sizeof(v->seed), GRND_NONBLOCK);
}

void vsock_forget_guest(struct vsock *v)
{
	struct vsock_conn *c, *next;

	v->n_resets = 0;
	for (c = TAILQ_FIRST(&v->conns); c; c = next) {
		next = TAILQ_NEXT(c, link);
		vsock_conn_forget_guest(c);
	}
}

unsigned vsock_n_unflushed(const struct vsock *v)
{
	const struct vsock_conn *c;
	unsigned n = 0;

	TAILQ_FOREACH (c, &v->conns, link)
		n += !vsock_conn_flushed(c);
	return n;
}

void vsock_close(struct vsock *v)
{
	struct vsock_conn *c;

	while ((c = TAILQ_FIRST(&v->conns)))
		vsock_conn_free(c);
}
