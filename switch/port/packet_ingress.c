/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/packet_port.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <rte_branch_prediction.h>

/* A frame of at least this size makes the next one worth a call of its own. */
#define BULK_MIN 4096

/*
 * Frames asked for at first in small mode: as many super-frames as a guest's ring takes. The number
 * doubles while full bursts of small frames come.
 */
#define WINDOW_MIN 4

/* Smaller frames in a row after which they are read in bursts again. */
#define SMALL_RUN_MAX 8

/* What a received frame's ancillary data says about its VLAN tag; tpid 0: untagged. */
struct vlan_tag {
	uint16_t tpid;
	uint16_t tci;
};

static struct vlan_tag read_tag(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
			break;
		return (struct vlan_tag) {
			.tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid
									  : ETH_P_8021Q,
			.tci = aux.tp_vlan_tci,
		};
	}
	return (struct vlan_tag) { 0 };
}

/* Puts the tag back that the kernel took out; what follows it moves on by four bytes. */
static void restore_tag(struct frame *f, struct vnet_hdr *hdr, struct vlan_tag tag)
{
	uint8_t *at = f->head - VLAN_TAG_LEN;
	const uint8_t bytes[VLAN_TAG_LEN] = { (uint8_t)(tag.tpid >> 8), (uint8_t)tag.tpid,
		(uint8_t)(tag.tci >> 8), (uint8_t)tag.tci };

	memmove(at, f->head, 2 * sizeof(struct mac));
	memcpy(at + 2 * sizeof(struct mac), bytes, sizeof(bytes));
	f->head = at;
	f->head_len += VLAN_TAG_LEN;
	f->len += VLAN_TAG_LEN;
	if (hdr->flags & VNET_HDR_F_NEEDS_CSUM)
		hdr->csum_start += VLAN_TAG_LEN;
}

/* Fills in all but the segments of a frame of `len` bytes, the tag not counted. */
static enum drop_reason open_frame(struct packet_queue *q, struct frame *f, uint32_t len,
	struct packet_slot *slot, struct vlan_tag tag)
{
	f->len = len;
	f->head_len = (uint16_t)(len < PACKET_HEAD ? len : PACKET_HEAD);
	f->head = f->head_room + VLAN_TAG_LEN;
	f->ingress = q->port;
	f->landed = NULL;
	f->offload = (struct offload) { 0 };
	if (unlikely(len < ETH_HEADER_LEN))
		return DROP_RUNT;
	if (unlikely(tag.tpid)) {
		restore_tag(f, &slot->hdr, tag);
		q->vlan_seen = true;
	}
	if (unlikely(f->len > FRAME_LEN_MAX))
		return DROP_TOO_LONG;
	return frame_parse_l2(f) ? OFFLOAD_OK : DROP_RUNT;
}

static enum drop_reason decode_offload(struct frame *f, const struct vnet_hdr *hdr)
{
	if (hdr->flags == 0 && hdr->gso_type == 0)
		return OFFLOAD_OK;
	return offload_decode(hdr, f);
}

/* --- small mode ------------------------------------------------------------------------------ */

static void prepare_slot(struct packet_queue *q, struct frame *burst, unsigned i)
{
	struct packet_slot *s = &q->slot[i];
	struct msghdr *m = &q->msg[i].msg_hdr;

	s->iov[0] = (struct iovec) { &s->hdr, sizeof(s->hdr) };
	s->iov[1] = (struct iovec) { burst[i].head_room + VLAN_TAG_LEN, PACKET_HEAD };
	s->iov[2] = (struct iovec) { q->buffer[i], PACKET_BUFFER };
	*m = (struct msghdr) {
		.msg_iov = s->iov,
		.msg_iovlen = 3,
		.msg_control = s->control,
		.msg_controllen = sizeof(s->control),
	};
}

/* Slot i's frame is received into burst[i]; if earlier ones were dropped it moves to *f. */
static enum drop_reason take_slot(
	struct packet_queue *q, unsigned i, struct frame *from, struct frame *f)
{
	struct mmsghdr *m = &q->msg[i];
	struct packet_slot *slot = &q->slot[i];
	uint32_t len = m->msg_len - (uint32_t)sizeof(struct vnet_hdr);
	enum drop_reason why;

	if (unlikely(m->msg_len < sizeof(struct vnet_hdr)))
		return DROP_RUNT;
	if (unlikely(m->msg_hdr.msg_flags & MSG_TRUNC))
		return DROP_TOO_LONG;
	if (unlikely(f != from))
		memcpy(f->head_room, from->head_room, sizeof(f->head_room));
	f->n_segs = 0;
	if (len > PACKET_HEAD)
		f->seg[f->n_segs++] = (struct iovec) { slot->iov[2].iov_base, len - PACKET_HEAD };
	why = open_frame(q, f, len, slot, read_tag(&m->msg_hdr));
	return why == OFFLOAD_OK ? decode_offload(f, &slot->hdr) : why;
}

/* The control thread shows the mode. */
static void set_bulk(struct packet_queue *q, bool bulk)
{
	__atomic_store_n(&q->bulk, bulk, __ATOMIC_RELAXED);
}

static unsigned receive_burst(
	struct packet_queue *q, int fd, struct frame *burst, unsigned n, struct counters *c)
{
	unsigned out = 0;
	int got;

	if (unlikely(q->prepared != burst)) {
		for (unsigned i = 0; i < BURST_MAX; i++)
			prepare_slot(q, burst, i);
		q->prepared = burst;
		q->window = WINDOW_MIN;
	}
	if (q->window < n)
		n = q->window;
	got = recvmmsg(fd, q->msg, n, MSG_DONTWAIT | MSG_TRUNC, NULL);
	for (int i = 0; i < got; i++) {
		enum drop_reason why = take_slot(q, (unsigned)i, &burst[i], &burst[out]);

		q->msg[i].msg_hdr.msg_controllen = PACKET_CONTROL;
		if (unlikely(why != OFFLOAD_OK)) {
			drop(c, why);
			continue;
		}
		if (burst[out].len >= BULK_MIN) {
			set_bulk(q, true);
			q->n_small_run = 0;
		}
		count_frame(&c->rx, &burst[out++]);
	}
	if (got < (int)n || q->bulk)
		q->window = WINDOW_MIN;
	else if (q->window < BURST_MAX)
		q->window *= 2;
	return out;
}

/* --- bulk mode ------------------------------------------------------------------------------- */

/* True if the next frame carries a tag, so that its data has to land four bytes further on. */
static bool peek_tagged(struct packet_queue *q, int fd)
{
	struct packet_slot *slot = &q->slot[0];
	struct iovec iov = { &slot->hdr, sizeof(slot->hdr) };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = slot->control,
		.msg_controllen = sizeof(slot->control),
	};

	return recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT) > 0 && read_tag(&m).tpid != 0;
}

/* Points the frame's segments at the `len` bytes that landed. */
static void set_segments(struct frame *f, const struct landing *l, uint32_t len)
{
	f->n_segs = 0;
	for (unsigned i = 0; len > 0; i++) {
		uint32_t part = len < l->iov[i].iov_len ? len : (uint32_t)l->iov[i].iov_len;

		f->seg[f->n_segs++] = (struct iovec) { l->iov[i].iov_base, part };
		len -= part;
	}
}

/* Takes a frame back out of the guest's buffers: it needs work that must not be done there. */
static void withdraw(struct packet_queue *q, struct frame *f)
{
	uint8_t *to = q->buffer[0];

	for (unsigned i = 0; i < f->n_segs; i++) {
		memcpy(to, f->seg[i].iov_base, f->seg[i].iov_len);
		to += f->seg[i].iov_len;
	}
	f->seg[0] = (struct iovec) { q->buffer[0], (size_t)(to - q->buffer[0]) };
	f->n_segs = 1;
	f->landed = NULL;
}

static enum drop_reason take_landed(struct packet_queue *q, struct frame *f, struct msghdr *m,
	uint32_t len, const struct landing *l, struct port *sole, bool expected_tag)
{
	struct vlan_tag tag = read_tag(m);
	enum drop_reason why;

	if (unlikely(m->msg_flags & MSG_TRUNC))
		return DROP_TOO_LONG;
	set_segments(f, l, len > PACKET_HEAD ? len - PACKET_HEAD : 0);
	why = open_frame(q, f, len, &q->slot[0], tag);
	if (f->n_segs > 0)
		f->landed = sole;
	if (why == OFFLOAD_OK)
		why = decode_offload(f, &q->slot[0].hdr);
	if (why == OFFLOAD_OK && f->landed &&
		((tag.tpid != 0) != expected_tag || !offload_fits(f, l->caps)))
		withdraw(q, f);
	return why;
}

/* Receives one frame into the sole guest's buffers. */
static unsigned receive_landing(struct packet_queue *q, int fd, struct frame *f, struct port *sole,
	const struct landing *l, bool tagged, struct counters *c)
{
	struct packet_slot *slot = &q->slot[0];
	struct iovec iov[2 + FRAME_SEG_MAX] = {
		{ &slot->hdr, sizeof(slot->hdr) },
		{ f->head_room + VLAN_TAG_LEN, PACKET_HEAD },
	};
	struct msghdr m = {
		.msg_iov = iov,
		.msg_iovlen = 2 + l->n_iov,
		.msg_control = slot->control,
		.msg_controllen = sizeof(slot->control),
	};
	enum drop_reason why;
	ssize_t n;

	memcpy(iov + 2, l->iov, l->n_iov * sizeof(iov[0]));
	n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_TRUNC);
	if (n < (ssize_t)sizeof(slot->hdr)) {
		if (n < 0 && errno == EFAULT) {
			drop(c, DROP_LANDING_LOST);
			sole->ops->memory_gone(sole);
		}
		return 0;
	}
	why = take_landed(q, f, &m, (uint32_t)n - (uint32_t)sizeof(slot->hdr), l, sole, tagged);
	if (unlikely(why != OFFLOAD_OK)) {
		drop(c, why);
		return 0;
	}
	q->n_small_run = f->len < BULK_MIN ? q->n_small_run + 1 : 0;
	if (q->n_small_run > SMALL_RUN_MAX)
		set_bulk(q, false);
	count_frame(&c->rx, f);
	return 1;
}

/*
 * After a sleep in which it was to tell of new buffers. Not in disarm(): the guest's port may have
 * been closed meanwhile, whereas `sole` is there.
 */
static void disarm_landing(struct packet_queue *q, struct port *sole, unsigned queue)
{
	if (q->armed == sole)
		sole->ops->landing_disarm(sole, queue);
	q->armed = NULL;
}

unsigned packet_receive(struct port *p, unsigned queue, struct frame *burst, unsigned n,
	struct port *sole, struct counters *c)
{
	struct packet_queue *q = &packet_port(p)->queue[queue];
	enum landing_state state = LANDING_SMALL;
	struct landing landing;
	bool tagged = false;
	int fd = packet_fd(q);

	if (unlikely(q->armed))
		disarm_landing(q, sole, queue);
	q->blocked_by = NULL;
	if (unlikely(fd < 0))
		return 0;
	if (sole && sole->ops->landing) {
		if (q->bulk && q->vlan_seen)
			tagged = peek_tagged(q, fd);
		state = sole->ops->landing(sole, queue, p->n_queues,
			PACKET_HEAD + (tagged ? VLAN_TAG_LEN : 0), q->bulk ? &landing : NULL);
	}
	if (state == LANDING_FULL) {
		q->blocked_by = sole;
		return 0;
	}
	if (state == LANDING_OK)
		n = receive_landing(q, fd, burst, sole, &landing, tagged, c);
	else
		n = receive_burst(q, fd, burst, n, c);
	counter_add(&q->n_frames, n);
	return n;
}

/* The next receive() reuses the buffers; nothing is handed back. */
void packet_release(struct port *p, unsigned queue, struct counters *c)
{
}

/* --- sleeping -------------------------------------------------------------------------------- */

bool packet_arm(struct port *p, unsigned queue)
{
	struct packet_queue *q = &packet_port(p)->queue[queue];
	struct pollfd pfd = { .fd = packet_fd(q), .events = POLLIN };

	/* The socket is always armed. While the guest is full what is in it is no work for us. */
	if (q->blocked_by) {
		q->armed = q->blocked_by;
		return q->armed->ops->landing_arm(q->armed, queue);
	}
	/* An error, such as a link that went down, is no work: it woke us once. */
	return poll(&pfd, 1, 0) > 0 && pfd.revents & POLLIN;
}

void packet_disarm(struct port *p, unsigned queue)
{
}
