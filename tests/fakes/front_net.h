/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Frames through a front-end's virtqueues: the driver half of virtio 1.2, 2.7 and 5.1.6. */

#include "tests/fakes/vhost_frontend.h"

/* 10 or 12: the latter once VERSION_1 or MRG_RXBUF was negotiated; 0 without one. */
uint32_t frontend_header_len(const struct frontend *f);

/*
 * Sends one frame, the concatenation of iov[0 .. n). A NULL hdr is a plain frame. Waits until the
 * queue has room. The frame is copied; the device may still be reading it when this returns.
 */
int frontend_send(
	struct frontend *f, const struct iovec *iov, unsigned n, const struct virtio_net_hdr *hdr);

/* The same without telling the device, until frontend_kick(). */
int frontend_queue_frame(
	struct frontend *f, const struct iovec *iov, unsigned n, const struct virtio_net_hdr *hdr);
void frontend_kick(struct frontend *f);

/* Waits until the device has given back every frame sent. */
int frontend_drain(struct frontend *f, int timeout_ms);

/*
 * Waits for one frame and copies it to buf. Returns its length without the header, which goes to
 * *hdr (not NULL). -ETIMEDOUT: nothing came; -ECONNRESET: the backend has hung up; -EPROTO: the
 * device broke a rule, a lost interrupt included.
 */
ssize_t frontend_recv(struct frontend *f, void *buf, size_t size,
	struct virtio_net_hdr_mrg_rxbuf *hdr, int timeout_ms);

/* -ETIMEDOUT if the device gave nothing back on this queue, 0 once there is something. */
int frontend_wait_used(struct frontend *f, struct front_queue *q, int timeout_ms);

/* Writes the slot's descriptors for a buffer of `len` bytes. Returns the chain's head. */
uint16_t frontend_describe(
	struct frontend *f, struct front_queue *q, unsigned slot, uint32_t len, bool device_writes);

/* Offers a chain, with the barrier that belongs there, and tells the device if it asks for it. */
void front_queue_offer(struct front_queue *q, uint16_t head);
void front_queue_kick(struct front_queue *q, uint16_t old_idx, bool event_idx);
