/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Closing descriptors that somebody else made.
 *
 * close(2) can wait, for as long as whoever made the descriptor likes: a file on a FUSE or network
 * file system is flushed by its server, a TCP socket with SO_LINGER waits for its peer, and a unix
 * socket takes with it whatever lies unread in its queue, further descriptors included. A VMM could
 * stop the control thread, and with it every port's control, with any descriptor it attaches to a
 * message, whether or not the message is accepted, and with its connection itself.
 *
 * So only what is known to close at once (eventfds; memory files, which have no flush) is closed
 * on the spot. Everything else goes to a closer: a list that a thread of its own works off, started
 * when there is something to close and gone when there is nothing left. Each port has its own
 * closer; a VMM whose descriptors do not close has its port stop taking more of them
 * (foreign_closer_stuck()) and nobody else's.
 *
 * Thread-safety: one thread per closer calls these functions.
 */

#include <stdbool.h>

struct foreign_closer;

/* NULL: out of memory. */
struct foreign_closer *foreign_closer_new(void);

/* What is still to be closed will be, in its own time. NULL is fine. */
void foreign_closer_free(struct foreign_closer *c);

/* True while more descriptors wait to be closed than a well-behaved peer could cause. */
bool foreign_closer_stuck(struct foreign_closer *c);

/*
 * Ends a connection that is ours, but whose peer may have filled it with such descriptors: once
 * nothing can be added (shutdown(2)), what lies in it is taken out and closed one by one.
 */
void foreign_connection_close(struct foreign_closer *c, int fd);

/* Closes fd (-1: none) without waiting for it. `c` NULL: on the spot, whatever it is. */
void foreign_fd_close(struct foreign_closer *c, int fd);
