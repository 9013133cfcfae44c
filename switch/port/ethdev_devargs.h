/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The devargs of an ethdev port: what driver they are for, and what we add where they are silent.
 */

#include <stdint.h>

#include "config/sluiced_config.h"
#include "lib/err.h"

enum ethdev_driver { ETHDEV_OTHER, ETHDEV_AF_PACKET, ETHDEV_VHOST, ETHDEV_VIRTIO_USER };

/*
 * The ring frames we ask net_af_packet for. The driver takes frame i to begin at i * framesz of the
 * mapping, so a block must be a whole number of frames as well as of pages; an mbuf has room for
 * 65535 bytes with its headroom of 128, and the frame has to fit into that. 511 pages of 4 KiB are
 * 32 frames of 65408 bytes.
 */
#define ETHDEV_AF_FRAME       65408
#define ETHDEV_AF_BLOCK       (32 * ETHDEV_AF_FRAME)
#define ETHDEV_AF_N_FRAMES    64
#define ETHDEV_AF_FRAME_PLAIN 2048 /* the driver's own default */

/* TPACKET2_HDRLEN less a sockaddr_ll: what the driver subtracts. */
#define ETHDEV_AF_HEADER     32
/* Where the kernel puts a frame's first byte (tpacket_rcv() of net/packet/af_packet.c). */
#define ETHDEV_AF_MAC_OFFSET 66

struct ethdev_devargs {
	enum ethdev_driver driver;
	char name[64];                /* of the device: "net_af_packet0" */
	char driver_name[64];         /* of its driver: "net_af_packet" */
	char path[DEVARGS_MAX];       /* "iface" or "path", "" if there is none */
	char text[DEVARGS_MAX + 128]; /* what DPDK gets */
	uint32_t frame_size;          /* net_af_packet: framesz */
};

/* -EINVAL with *err set if they are not devargs at all. */
int ethdev_devargs_parse(
	struct ethdev_devargs *out, const char *text, unsigned n_queues, struct err *err);
