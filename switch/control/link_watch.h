/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The kernel's network interfaces, for ports that sit on one: rtnetlink(7) notifications in the
 * control thread's event loop.
 *
 * There is no copy of the kernel's list here that could be wrong. A notification is only a hint,
 * passed on to every port that watches; a port that finds it concerns it asks the kernel how things
 * are now. So nothing is lost with notifications that the kernel could not queue (ENOBUFS), or that
 * were overtaken: after an overflow all ports look once.
 *
 * Thread-safety: control thread only.
 */

#include <event2/event.h>

#include "switch/port/link.h"
#include "switch/port/port.h"

struct nl_sock;

struct link_watch {
	struct nl_sock *events; /* subscribed; NULL until a port watches */
	struct nl_sock *query;  /* answers in step */
	struct event *event;
	struct port *port[PORT_MAX];
	unsigned n_ports;
};

/*
 * Has the port's link_changed() called from now on. *lw starts out zeroed; sockets are opened with
 * the first port. -errno if they cannot be. Adding a port twice is adding it once.
 */
int link_watch_add(struct link_watch *lw, struct event_base *base, struct port *port);
void link_watch_remove(struct link_watch *lw, const struct port *port);

/* As find_link() in host.h. Needs a port that watches. */
int link_watch_find(struct link_watch *lw, const char *name, int ifindex, struct link_info *out);

/* Closes everything; *lw is as at the start. */
void link_watch_close(struct link_watch *lw);
