/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/vsock/vsock_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "switch/vsock/vsock_conn_host.h"

/* --- both sides ------------------------------------------------------------------------------ */

/* What the guest lets us send. What it says may be a lie: then it is 0. */
static uint32_t credit(const struct vsock_conn *c)
{
	uint32_t in_flight = c->sent - c->peer_forwarded;

	return in_flight < c->peer_alloc ? c->peer_alloc - in_flight : 0;
}

/* The host may have something to send, and the guest wants it. */
static bool has_data(const struct vsock_conn *c)
{
	return c->guest == VSOCK_OPEN && c->fd >= 0 && c->readable &&
	       !(c->host_shut & VIRTIO_VSOCK_SHUTDOWN_SEND) &&
	       !(c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV);
}

bool vsock_conn_wants_turn(const struct vsock_conn *c)
{
	return c->say || (has_data(c) && credit(c) > 0);
}

static void settle_list(struct vsock_conn *c)
{
	struct vsock *v = c->vsock;
	bool wants = vsock_conn_wants_turn(c);

	if (wants == c->ready)
		return;
	c->ready = wants;
	if (!wants) {
		TAILQ_REMOVE(&v->ready, c, ready_link);
		return;
	}
	TAILQ_INSERT_TAIL(&v->ready, c, ready_link);
	v->ops.wake(v->ops.ctx);
}

void vsock_conn_settle(struct vsock_conn *c)
{
	vsock_conn_host_settle(c);
	if (c->known && c->guest == VSOCK_GONE && !(c->say & VSOCK_SAY_RST))
		vsock_leave(c->vsock, c);
	if (!c->known && c->fd < 0) {
		vsock_conn_free(c);
		return;
	}
	if (has_data(c) && credit(c) == 0 && !c->asked) {
		c->asked = true;
		c->say |= VSOCK_SAY_ASK;
	}
	settle_list(c);
}

/* A REQUEST that has not been sent needs no reset. */
static void guest_ends(struct vsock_conn *c, bool reset)
{
	bool unsent = c->guest == VSOCK_REQUESTED && c->say & VSOCK_SAY_REQUEST;

	if (c->guest != VSOCK_GONE)
		c->say = reset && c->known && !unsent ? VSOCK_SAY_RST : 0;
	c->guest = VSOCK_GONE;
}

void vsock_conn_reset(struct vsock_conn *c)
{
	guest_ends(c, true);
	vsock_conn_host_close(c);
}

void vsock_conn_forget_guest(struct vsock_conn *c)
{
	if (c->guest == VSOCK_REQUESTED)
		vsock_conn_host_close(c);
	if (c->guest != VSOCK_NONE) {
		c->guest = VSOCK_GONE;
		c->say = 0;
	}
	vsock_conn_settle(c);
}

struct vsock_conn *vsock_conn_new(struct vsock *v, int fd)
{
	struct vsock_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->vsock = v;
	c->fd = fd;
	c->n_chains = 1;
	c->readable = true; /* not known, but soon found out */
	TAILQ_INSERT_TAIL(&v->conns, c, link);
	v->n_conns++;
	return c;
}

void vsock_conn_free(struct vsock_conn *c)
{
	struct vsock *v = c->vsock;

	vsock_conn_host_close(c);
	if (c->known)
		vsock_leave(v, c);
	if (c->ready)
		TAILQ_REMOVE(&v->ready, c, ready_link);
	TAILQ_REMOVE(&v->conns, c, link);
	v->n_conns--;
	free(c);
}

/* --- from the guest -------------------------------------------------------------------------- */

static void take_credit(struct vsock_conn *c, const struct vsock_packet *p)
{
	if (p->buf_alloc != c->peer_alloc || p->fwd_cnt != c->peer_forwarded)
		c->asked = false;
	c->peer_alloc = p->buf_alloc;
	c->peer_forwarded = p->fwd_cnt;
}

/* False: the guest's memory is gone. */
static bool take_data(
	struct vsock_conn *c, const struct vsock_packet *p, const struct iovec *payload, unsigned n)
{
	struct iovec part[VSOCK_IOV_MAX];
	int ret;

	n = vsock_iov_part(payload, n, 0, p->len, part);
	if (c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND || vsock_iov_len(part, n) < p->len ||
		p->len > VSOCK_BUF_SIZE - (c->received - c->forwarded)) {
		vsock_conn_reset(c);
		return true;
	}
	c->received += p->len;
	ret = p->len > 0 ? vsock_conn_host_write(c, part, n, p->len) : 0;
	if (ret < 0)
		vsock_conn_reset(c);
	return ret != -EFAULT;
}

static void take_shutdown(struct vsock_conn *c, uint32_t flags)
{
	c->guest_shut |= flags & VSOCK_SHUTDOWN_RW;
	if (c->guest_shut == VSOCK_SHUTDOWN_RW)
		guest_ends(c, true);
	else if (flags & VIRTIO_VSOCK_SHUTDOWN_RCV)
		vsock_conn_host_deafen(c);
}

static bool take_open(
	struct vsock_conn *c, const struct vsock_packet *p, const struct iovec *payload, unsigned n)
{
	switch (p->op) {
	case VIRTIO_VSOCK_OP_RW:
		return take_data(c, p, payload, n);
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		take_shutdown(c, p->flags);
		return true;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		return true;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		c->say |= VSOCK_SAY_CREDIT;
		return true;
	default:
		vsock_conn_reset(c);
		return true;
	}
}

/* An answer to what we have not said yet is none. */
static void take_response(struct vsock_conn *c, uint16_t op)
{
	if (op != VIRTIO_VSOCK_OP_RESPONSE || c->say & VSOCK_SAY_REQUEST) {
		vsock_conn_reset(c);
		return;
	}
	c->guest = VSOCK_OPEN;
	if (vsock_conn_host_opened(c) < 0)
		vsock_conn_reset(c);
}

bool vsock_conn_take(
	struct vsock_conn *c, const struct vsock_packet *p, const struct iovec *payload, unsigned n)
{
	bool good = true;

	take_credit(c, p);
	if (p->op == VIRTIO_VSOCK_OP_RST) {
		if (c->guest == VSOCK_REQUESTED)
			vsock_conn_host_close(c);
		c->say = 0;
		c->guest = VSOCK_GONE;
	} else if (c->guest == VSOCK_OPEN) {
		good = take_open(c, p, payload, n);
	} else if (c->guest == VSOCK_REQUESTED) {
		take_response(c, p->op);
	}
	vsock_conn_settle(c);
	return good;
}

bool vsock_conn_answer(struct vsock *v, int fd, const struct vsock_packet *p)
{
	struct vsock_conn *c = vsock_conn_new(v, fd);

	if (!c) {
		close(fd);
		return false;
	}
	if (vsock_conn_host_watch(c, 0) < 0) {
		vsock_conn_free(c);
		return false;
	}
	c->host_port = p->dst_port;
	c->guest_port = p->src_port;
	c->guest = VSOCK_OPEN;
	c->say = VSOCK_SAY_RESPONSE;
	take_credit(c, p);
	vsock_enter(v, c);
	vsock_conn_settle(c);
	return true;
}

/* --- to the guest ---------------------------------------------------------------------------- */

static struct vsock_packet header(const struct vsock_conn *c, uint16_t op)
{
	return (struct vsock_packet) {
		.src_cid = VSOCK_CID_HOST,
		.dst_cid = c->vsock->guest_cid,
		.src_port = c->host_port,
		.dst_port = c->guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = VSOCK_BUF_SIZE,
		.fwd_cnt = c->forwarded,
	};
}

/* What has been sent told the guest how much has been forwarded. */
static void credit_told(struct vsock_conn *c)
{
	c->told_forwarded = c->forwarded;
	c->say &= ~(unsigned)VSOCK_SAY_CREDIT;
}

/* Sends the first packet that is owed. False: the guest has no buffer. */
static bool send_control(struct vsock_conn *c)
{
	static const uint16_t ops[] = { VIRTIO_VSOCK_OP_RST, VIRTIO_VSOCK_OP_REQUEST,
		VIRTIO_VSOCK_OP_RESPONSE, VIRTIO_VSOCK_OP_CREDIT_UPDATE,
		VIRTIO_VSOCK_OP_CREDIT_REQUEST, VIRTIO_VSOCK_OP_SHUTDOWN };
	unsigned bit = (unsigned)__builtin_ctz(c->say);
	struct vsock_packet p = header(c, ops[bit]);

	if (p.op == VIRTIO_VSOCK_OP_SHUTDOWN)
		p.flags = c->host_shut;
	if (!vsock_rings_put(&c->vsock->rings, &p))
		return false;
	credit_told(c);
	c->say &= ~(1u << bit);
	return true;
}

/* Receives straight into the guest's buffers, as many as it took last time and some more. */
static enum vsock_turn send_data(struct vsock_conn *c)
{
	const struct vsock_packet p = header(c, VIRTIO_VSOCK_OP_RW);
	unsigned n_used;
	ssize_t n =
		vsock_rings_receive(&c->vsock->rings, c->fd, &p, credit(c), c->n_chains, &n_used);

	if (n == -ENOBUFS)
		return VSOCK_TURN_NO_BUF;
	if (n > 0) {
		c->sent += (uint32_t)n;
		c->n_chains = n_used < c->n_chains ? n_used : 2 * n_used;
		if (c->n_chains > VSOCK_BURST_MAX)
			c->n_chains = VSOCK_BURST_MAX;
		credit_told(c);
	} else if (n == -EAGAIN || n == -EINTR) {
		c->readable = n == -EINTR;
	} else if (n == -EFAULT) {
		virtqueue_break(c->vsock->rings.rx, VIRTQUEUE_FAULT_MEMORY);
	} else if (n == 0) {
		vsock_conn_host_ended(c);
	} else {
		vsock_conn_reset(c);
	}
	return VSOCK_TURN_DONE;
}

enum vsock_turn vsock_conn_turn(struct vsock_conn *c)
{
	enum vsock_turn turn = VSOCK_TURN_DONE;

	if (c->say)
		turn = send_control(c) ? VSOCK_TURN_DONE : VSOCK_TURN_NO_BUF;
	else if (vsock_conn_wants_turn(c))
		turn = send_data(c);
	vsock_conn_settle(c);
	return turn;
}
