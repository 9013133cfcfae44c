/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A guest without a VMM: guest memory, the vhost-user protocol, and two split virtqueues of a
 * virtio-net device, in the test's own process.
 *
 * It is written for two uses. Well-behaved: frontend_start(), frontend_send(), frontend_recv(),
 * with every legal shape of descriptor chain (front_layout) and both kinds of notification. And
 * hostile: every byte of the protocol and of the rings is within reach. frontend_send_bytes()
 * sends anything with any descriptors attached, struct front_queue shows the rings, and each
 * step of the set-up is a function of its own that can be left out, repeated or reordered.
 *
 * A waiting front-end sleeps on its call eventfd only. If the ring turns out to have moved without
 * a signal, that is an error (a lost interrupt), not something that polling papers over.
 *
 * All functions that can fail return 0 (or a count) or a negative errno and leave one line about
 * it in `why`. Nothing waits longer than `timeout_ms`.
 *
 * Thread-safety: none; one front-end belongs to one thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "tests/fakes/vhost_wire.h"

#define FRONT_FRAME_MAX 65600 /* any frame, virtio-net header not counted */
#define FRONT_CUTS_MAX  256   /* descriptors in one chain */

#define FRONT_RX 0
#define FRONT_TX 1

#define FRONT_PAIRS_MAX   4
#define FRONT_REGIONS_MAX 40 /* of which a table holds VU_REGIONS_MAX */

/* first_piece: exactly the virtio-net header */
#define FRONT_HEADER UINT32_MAX

/* What one buffer looks like to the device. */
struct front_layout {
	uint32_t buffer_size; /* receive only: bytes, virtio-net header included */
	uint32_t first_piece; /* bytes in a first descriptor of its own; 0: none, or FRONT_HEADER */
	unsigned n_pieces;    /* the rest in this many descriptors; 0 means 1 */
	bool indirect;        /* needs VF_INDIRECT */
};

struct frontend_options {
	uint64_t features;          /* wanted; acknowledged as far as offered */
	uint64_t protocol_features; /* the same */
	uint16_t ring_size;         /* 0: 256 */
	unsigned n_regions;         /* of guest memory; 0: 1 */
	unsigned n_pairs;           /* of queues, at most FRONT_PAIRS_MAX; 0: 1 */
	bool seal;                  /* guest memory cannot shrink or grow */
	bool no_header;             /* another kind of device: no virtio-net header before frames */
	struct front_layout rx, tx;
	int timeout_ms; /* of every wait that has none of its own; 0: 30000 */
};

struct front_region {
	int fd;
	uint64_t gpa;
	uint64_t size;
	uint64_t file_offset;
	uint8_t *at;   /* where this process sees it: also its "user address" in the protocol */
	uint64_t used; /* bytes handed out */
};

struct front_queue {
	unsigned index;
	uint16_t size;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	int kick, call, err;
	struct front_layout layout;
	uint16_t avail_idx;  /* next entry to offer */
	uint16_t used_idx;   /* next entry to take back */
	uint16_t kicked_idx; /* transmit: the device knows of the entries before this one */
	unsigned n_per_slot; /* descriptors of the main table that a slot owns */
	unsigned n_slots;
	uint16_t *free; /* stack of slots not offered, n_free of them */
	unsigned n_free;
	uint64_t buffers_gpa; /* slot i begins at buffers_gpa + i * stride */
	uint32_t stride;
	uint64_t tables_gpa; /* indirect: table of slot i */
	unsigned table_len;
	uint64_t n_kicks;   /* written to the device */
	uint64_t n_signals; /* received from it */
};

struct frontend {
	struct frontend_options options;
	int listener; /* -1, or where the backend is expected to connect */
	int sock;
	uint64_t offered;
	uint64_t features; /* negotiated */
	uint64_t protocol_offered;
	uint64_t protocol;
	struct front_region region[FRONT_REGIONS_MAX];
	unsigned n_regions;
	struct front_queue queue[2 * FRONT_PAIRS_MAX]; /* in the device's order */
	unsigned pair;    /* the one that frames are sent on and received from */
	uint8_t *scratch; /* FRONT_FRAME_MAX + a header */
	uint64_t n_sent;  /* messages, or pieces of them, that went out */
	char why[256];
};

/*
 * Makes guest memory and rings; nothing is connected yet. On failure nothing is left to free and
 * `why` says what is wrong with the options.
 */
int frontend_init(struct frontend *f, const struct frontend_options *options);

/* Closes everything, also mid-way. Harmless on an all-zero or already closed struct. */
void frontend_close(struct frontend *f);

/* Connects, negotiates, shares memory, starts all queues and fills the receive queues. */
int frontend_start(struct frontend *f, const char *path);

/* frontend_init() and frontend_start(). */
int frontend_open(struct frontend *f, const char *path, const struct frontend_options *options);

/* The steps of frontend_start(), in its order. */
int frontend_connect(struct frontend *f, const char *path);
int frontend_negotiate(struct frontend *f);
int frontend_serve(struct frontend *f); /* what comes after frontend_connect() */
int frontend_set_mem_table(struct frontend *f);
int frontend_start_queue(struct frontend *f, unsigned queue, uint16_t base);
int frontend_enable_queue(struct frontend *f, unsigned queue, bool enable);
void frontend_fill(struct frontend *f);

/* The other way round: listens at `path`, and takes a connection in place of the present one. */
int frontend_listen(struct frontend *f, const char *path);
int frontend_accept(struct frontend *f);

static inline unsigned frontend_n_queues(const struct frontend *f)
{
	return 2 * (f->options.n_pairs ? f->options.n_pairs : 1);
}

/* The queues of the pair in use. */
static inline struct front_queue *frontend_rx(struct frontend *f)
{
	return &f->queue[2 * f->pair + FRONT_RX];
}

static inline struct front_queue *frontend_tx(struct frontend *f)
{
	return &f->queue[2 * f->pair + FRONT_TX];
}

/* SET_VRING_KICK, _CALL or _ERR with a new eventfd in place of *fd. */
int frontend_set_vring_fd(struct frontend *f, uint32_t request, unsigned queue, int *fd);

/* GET_VRING_BASE: stops the queue; the index it would go on from is stored in *base. */
int frontend_stop_queue(struct frontend *f, unsigned queue, uint16_t *base);

/* Drops the connection only; guest memory and queues stay as they are. */
void frontend_disconnect(struct frontend *f);

/* Empties all queues for a new connection to the same guest memory (a guest's reset). */
void frontend_reset_queues(struct frontend *f);

/* 0 once the backend has hung up, -ETIMEDOUT if it has not. */
int frontend_wait_hangup(struct frontend *f, int timeout_ms);

/* ---- messages ---- */

/* Anything at all, in one sendmsg(). */
int frontend_send_bytes(
	struct frontend *f, const void *bytes, size_t len, const int *fds, size_t n_fds);

/* A header with the right version and size, and its payload; asks for no reply. */
int frontend_message(struct frontend *f, uint32_t request, const void *payload, uint32_t size,
	const int *fds, size_t n_fds);

/*
 * As frontend_message(), and makes sure the backend has dealt with it before this returns: by
 * REPLY_ACK where it was negotiated (-EREMOTEIO if the backend says no), otherwise by a
 * GET_FEATURES behind it.
 */
int frontend_set(struct frontend *f, uint32_t request, const void *payload, uint32_t size,
	const int *fds, size_t n_fds);
int frontend_set_u64(struct frontend *f, uint32_t request, uint64_t value);

/* A request that is answered: the reply's payload goes to *reply. Returns its length. */
int frontend_get(struct frontend *f, uint32_t request, const void *payload, uint32_t size,
	void *reply, size_t reply_max);
int frontend_get_u64(struct frontend *f, uint32_t request, uint64_t *value);

/* Bytes [offset, offset + len) of the device's config space. */
int frontend_get_config(struct frontend *f, uint32_t offset, void *out, uint32_t len);

/* Reads one reply with its header: anything the backend says. */
int frontend_read_message(
	struct frontend *f, struct vu_header *header, void *payload, size_t payload_max);

/* ---- guest memory ---- */

/* Zeroed room for `len` bytes in region number `region`; 0 if there is none. */
uint64_t frontend_alloc(struct frontend *f, unsigned region, uint64_t len, uint64_t align);

/* Where this process sees a guest address; NULL outside guest memory. */
void *frontend_at(struct frontend *f, uint64_t gpa);

/* Adds a region of guest memory behind the others; say so with frontend_set_mem_table() or
 * frontend_plug(). */
int frontend_add_region(struct frontend *f, uint64_t size);

/* ADD_MEM_REG or REM_MEM_REG of a region. */
int frontend_plug(struct frontend *f, unsigned region);
int frontend_unplug(struct frontend *f, unsigned region);

/* Takes back the last region; it must hold nothing. */
void frontend_drop_region(struct frontend *f);

/* Internal to the implementation: formats `why`, returns `code`. */
int frontend_fail(struct frontend *f, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Milliseconds of a clock that never jumps. */
int64_t frontend_now_ms(void);
