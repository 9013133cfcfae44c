/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A relay between a VMM and a virtiofsd that does not say what its device is called.
 *
 * A virtio-fs device has a configuration space: its tag and the number of its request queues
 * (virtio 1.2, 5.11.4). QEMU and Cloud Hypervisor know both from their command line; UML asks the
 * back-end, with vhost-user's GET_CONFIG, and QEMU's virtiofsd has no answer. So the relay offers
 * protocol feature CONFIG in the back-end's name, takes it out again of what the front-end accepts,
 * and answers GET_CONFIG itself. Everything else passes unchanged in both directions, descriptors
 * included: guest memory, eventfds, and the back-end's own channel (SET_BACKEND_REQ_FD), over which
 * the two then talk without us.
 *
 * One thing it does besides: it raises the interrupts again that UML has lost, see lost_calls.h.
 *
 *      UML ──── front ──── sluice-fs-relay ──── back ──── virtiofsd
 *
 * It serves one connection and ends with it, as virtiofsd does. Both ends may be hostile: a message
 * that is longer than any that exists, has more descriptors than any needs, or is of another
 * version ends it, and so does an end that takes nothing for FS_RELAY_PATIENCE_MS. A front-end
 * waits for one answer before it asks again, as QEMU and UML do; one that does not may get answers
 * in another order.
 */

#include <stdbool.h>
#include <stdint.h>

#include "launcher/storage/lost_calls.h"
#include "lib/err.h"
#include "switch/port/vhost_message.h" /* the format alone: nothing of it is linked */

#define FS_RELAY_TAG_MAX     36
#define FS_RELAY_PATIENCE_MS 10000

/* The program's exit status if virtiofsd hung up, whose own end says more. */
#define FS_RELAY_EXIT_BACK 3

enum fs_relay_end { FS_RELAY_FRONT, FS_RELAY_BACK };

/* What becomes of a message. */
enum fs_relay_way {
	FS_RELAY_PASS,    /* it goes to the other end, perhaps changed */
	FS_RELAY_ANSWER,  /* it has become the answer, and goes back */
	FS_RELAY_SWALLOW, /* it goes nowhere */
};

/* virtio 1.2, struct virtio_fs_config. */
struct fs_relay_config {
	uint8_t tag[FS_RELAY_TAG_MAX]; /* UTF-8, padded with NUL */
	uint32_t n_request_queues;     /* little-endian */
};

static_assert(sizeof(struct fs_relay_config) == 40, "virtio-fs: device configuration");

struct fs_relay {
	struct fs_relay_config config;
	bool acks; /* the front-end has accepted REPLY_ACK */
	struct lost_calls calls;
};

/* -EINVAL: a tag is 1 to 36 bytes. */
int fs_relay_init(struct fs_relay *relay, const char *tag, struct err *err);

/* Decides about a message that has come from `from`; its payload is header.size bytes and lies
 * within the union. Returns enum fs_relay_way, or -EPROTO: whoever sent it does not speak
 * vhost-user. */
int fs_relay_decide(struct fs_relay *relay, enum fs_relay_end from, struct vhost_message *m);

/*
 * Relays between two connected stream sockets, which must not block, until the VMM hangs up (0),
 * virtiofsd does (FS_RELAY_BACK), or one of them has to be given up (-EPROTO, -ETIMEDOUT, or an
 * errno of the socket's). Both stay the caller's.
 */
int fs_relay_run(struct fs_relay *relay, int front, int back, struct err *err);
