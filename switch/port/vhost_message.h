/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * vhost-user messages on the wire (QEMU docs/interop/vhost-user.rst) and the reader that puts them
 * together from a non-blocking socket, however they are cut into pieces.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/port/foreign_fd.h"
#include "switch/port/guest_memory.h"

enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES = 2,
	VHOST_SET_OWNER = 3,
	VHOST_RESET_OWNER = 4,
	VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_VRING_NUM = 8,
	VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10,
	VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12,
	VHOST_SET_VRING_CALL = 13,
	VHOST_SET_VRING_ERR = 14,
	VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16,
	VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18,
	VHOST_NET_SET_MTU = 20,
	VHOST_SET_BACKEND_REQ_FD = 21,
	VHOST_GET_CONFIG = 24,
	VHOST_SET_CONFIG = 25,
	VHOST_GET_MAX_MEM_SLOTS = 36,
	VHOST_ADD_MEM_REG = 37,
	VHOST_REM_MEM_REG = 38,
	VHOST_N_REQUESTS
};

#define VHOST_F_PROTOCOL_FEATURES 30 /* in the virtio feature word */

enum vhost_protocol_feature {
	VHOST_PROTOCOL_F_MQ = 0,
	VHOST_PROTOCOL_F_REPLY_ACK = 3,
	VHOST_PROTOCOL_F_MTU = 4,
	VHOST_PROTOCOL_F_BACKEND_REQ = 5,
	VHOST_PROTOCOL_F_CONFIG = 9,
	VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
};

#define VHOST_VERSION        1u
#define VHOST_VERSION_MASK   3u
#define VHOST_FLAG_REPLY     (1u << 2)
#define VHOST_FLAG_NEED_ACK  (1u << 3)
#define VHOST_FDS_MAX        8
#define VHOST_TABLE_REGIONS  8 /* in one SET_MEM_TABLE */
#define VHOST_CONFIG_MAX     256
#define VHOST_VRING_NO_FD    (1u << 8)
#define VHOST_VRING_IDX_MASK 0xffu

struct vhost_vring_state_payload {
	uint32_t index;
	uint32_t num;
};

struct vhost_vring_addr_payload {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct vhost_memory_payload {
	uint32_t n_regions;
	uint32_t padding;
	struct vhost_user_region region[VHOST_TABLE_REGIONS];
};

struct vhost_region_payload {
	uint64_t padding;
	struct vhost_user_region region;
};

struct vhost_config_payload {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t region[VHOST_CONFIG_MAX];
};

struct vhost_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload */
};

static_assert(sizeof(struct vhost_header) == 12, "vhost-user: request, flags, size");
static_assert(sizeof(struct vhost_user_region) == 32, "vhost-user: memory region description");
static_assert(sizeof(struct vhost_vring_addr_payload) == 40, "vhost-user: vring address");
static_assert(sizeof(struct vhost_region_payload) == 40, "vhost-user: single memory region");

union vhost_payload {
	uint64_t u64;
	struct vhost_vring_state_payload state;
	struct vhost_vring_addr_payload addr;
	struct vhost_memory_payload memory;
	struct vhost_region_payload region;
	struct vhost_config_payload config;
};

struct vhost_message {
	struct vhost_header header;
	union vhost_payload payload;
	int fd[VHOST_FDS_MAX]; /* owned by the message until a handler takes one (sets it to -1) */
	size_t n_fds;
};

/* A message in the making. */
struct vhost_reader {
	struct vhost_message message;
	size_t have; /* bytes of header and payload so far */
	struct foreign_closer *closer;
};

/* A message without descriptors. `closer` (may be NULL) gets those that nobody takes. */
void vhost_reader_init(struct vhost_reader *r, struct foreign_closer *closer);

/*
 * Reads what the socket has. 1: r->message is complete, and must be given back with
 * vhost_reader_next() when handled; 0: the socket has no more for now; -ECONNRESET: the peer hung
 * up; -EPROTO: wrong version, a reply, too long, or too many descriptors; or recvmsg()'s errno.
 */
int vhost_reader_fill(struct vhost_reader *r, int sock);

/* Closes descriptors nobody took and begins the next message. */
void vhost_reader_next(struct vhost_reader *r);
