/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The vhost-user wire as a front-end speaks it: QEMU's docs/interop/vhost-user.rst, and the
 * feature bits of virtio 1.2. Written down a second time on purpose: the tests must not share a
 * wrong number with the switch.
 */

#include <assert.h>
#include <stdint.h>

enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_LOG_BASE = 6,
	VU_SET_LOG_FD = 7,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_SEND_RARP = 19,
	VU_NET_SET_MTU = 20,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_RESET_DEVICE = 34,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38,
	VU_SET_STATUS = 39,
	VU_GET_STATUS = 40,
};

#define VU_VERSION    0x1u
#define VU_REPLY      0x4u
#define VU_NEED_REPLY 0x8u

#define VU_VRING_NOFD 0x100u /* in the payload of KICK, CALL, ERR: no descriptor attached */

#define VU_PROTOCOL_MQ                  (1ull << 0)
#define VU_PROTOCOL_REPLY_ACK           (1ull << 3)
#define VU_PROTOCOL_MTU                 (1ull << 4)
#define VU_PROTOCOL_CONFIG              (1ull << 9)
#define VU_PROTOCOL_CONFIGURE_MEM_SLOTS (1ull << 15)
#define VU_PROTOCOL_STATUS              (1ull << 16)

#define VF_CSUM              (1ull << 0)
#define VF_GUEST_CSUM        (1ull << 1)
#define VF_MTU               (1ull << 3)
#define VF_MAC               (1ull << 5)
#define VF_GUEST_TSO4        (1ull << 7)
#define VF_GUEST_TSO6        (1ull << 8)
#define VF_GUEST_ECN         (1ull << 9)
#define VF_HOST_TSO4         (1ull << 11)
#define VF_HOST_TSO6         (1ull << 12)
#define VF_HOST_ECN          (1ull << 13)
#define VF_MRG_RXBUF         (1ull << 15)
#define VF_CTRL_VQ           (1ull << 17)
#define VF_MQ                (1ull << 22)
#define VF_INDIRECT          (1ull << 28)
#define VF_EVENT_IDX         (1ull << 29)
#define VF_PROTOCOL_FEATURES (1ull << 30)
#define VF_VERSION_1         (1ull << 32)
#define VF_GUEST_USO4        (1ull << 54)
#define VF_GUEST_USO6        (1ull << 55)
#define VF_HOST_USO          (1ull << 56)

#define VF_SEND_OFFLOADS (VF_CSUM | VF_HOST_TSO4 | VF_HOST_TSO6 | VF_HOST_ECN | VF_HOST_USO)
#define VF_RECV_OFFLOADS                                                                           \
	(VF_GUEST_CSUM | VF_GUEST_TSO4 | VF_GUEST_TSO6 | VF_GUEST_ECN | VF_GUEST_USO4 |            \
		VF_GUEST_USO6)

struct vu_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload that follows */
};
static_assert(sizeof(struct vu_header) == 12, "vhost-user message header");

struct vu_vring_state {
	uint32_t index;
	uint32_t num;
};
static_assert(sizeof(struct vu_vring_state) == 8, "vring state description");

struct vu_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc; /* these three in the front-end's own address space */
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};
static_assert(sizeof(struct vu_vring_addr) == 40, "vring address description");

struct vu_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

#define VU_REGIONS_MAX 8

struct vu_memory {
	uint32_t n_regions;
	uint32_t padding;
	struct vu_region region[VU_REGIONS_MAX];
};
static_assert(sizeof(struct vu_memory) == 8 + 8 * 32, "memory regions description");

struct vu_single_region {
	uint64_t padding;
	struct vu_region region;
};
static_assert(sizeof(struct vu_single_region) == 40, "single memory region description");

struct vu_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t region[256];
};
static_assert(sizeof(struct vu_config) == 12 + 256, "virtio device config space");
