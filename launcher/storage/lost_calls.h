/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Interrupts that UML has lost, raised again.
 *
 * A device interrupts UML by writing to a unix socket (its call descriptor), on which UML waits
 * with an edge-triggered epoll. It keeps what epoll_wait() reported in one array for all, and an
 * interrupt that comes while it is in the middle of that array overwrites it (Linux 6.1,
 * arch/um/os-Linux/irq.c): the rest is never looked at, and the socket stays unread until somebody
 * writes to it again. virtiofsd does not: it was asked for one interrupt, and all that waits for
 * the file system waits for ever (14 of 84 guests that read and sent much at once). So whoever
 * stands between the two keeps a duplicate of each call descriptor, looks at it every
 * LOST_CALLS_LOOK_MS, and if it is unread twice in a row writes to it. An interrupt too many does
 * no harm.
 *
 * Other VMMs use eventfds, of which nothing is kept.
 *
 * Thread-safety: one thread at a time.
 */

#include <stdbool.h>

#include "switch/port/vhost_message.h"

#define LOST_CALLS_RINGS   8 /* virtio-fs: one for high priority, and the request queues */
#define LOST_CALLS_LOOK_MS 20

struct lost_calls {
	int fd[LOST_CALLS_RINGS]; /* -1: none */
	bool unread[LOST_CALLS_RINGS];
};

void lost_calls_init(struct lost_calls *calls);

/* Takes note of a front-end's message, of any kind. */
void lost_calls_note(struct lost_calls *calls, const struct vhost_message *m);

/* The poll(2) timeout after which to look: -1 if there is nothing to look at. */
int lost_calls_timeout_ms(const struct lost_calls *calls);

/* At least LOST_CALLS_LOOK_MS after the last time. */
void lost_calls_look(struct lost_calls *calls);

void lost_calls_close(struct lost_calls *calls);
