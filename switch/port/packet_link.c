/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * How a packet port follows its interface.
 *
 * The port wants the interface that has the configured name now. As long as there is none it keeps
 * the one it has, whatever that is called since; an interface that comes to have the name, new or
 * renamed, takes over. packet_link_look() compares this with what is, and acts: it is run at every
 * hint that something changed, before each status, and now and then while there is no interface to
 * be on; running it once too often does nothing.
 *
 * Sockets are opened on an interface that is up: before Linux 6.13 a socket that hears nothing
 * cannot join a fanout group. Once they are open they outlast down and up by themselves. They do
 * not outlast the interface: the kernel unbinds them for good when it goes, and that is how we
 * tell, because a new one can have the name and even the index of the old.
 *
 * The descriptors change under running workers: the new ones are stored, a grace period passes in
 * which everybody who read the old ones leaves, then those are closed.
 */
#include "switch/port/packet_port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 10000

static void tell(const struct packet_port *pp, const char *event, const char *detail)
{
	pp->host->event(pp->host->ctx, &pp->port, event, detail);
}

/* --- sockets --------------------------------------------------------------------------------- */

/* Puts these in the place of what is there; NULL: none. */
static void replace_sockets(struct packet_port *pp, const int *fd)
{
	const struct port_host *host = pp->host;
	unsigned n = pp->port.n_queues;
	int old[QUEUES_MAX] = { -1 };

	for (unsigned i = 0; i < n; i++)
		old[i] = __atomic_exchange_n(&pp->queue[i].fd, fd ? fd[i] : -1, __ATOMIC_ACQ_REL);
	if (old[0] < 0)
		return;
	host->quiesce(host->ctx);
	for (unsigned i = 0; i < n; i++) {
		host->unwatch(host->ctx, old[i]);
		pp->kernel_drops += packet_socket_drops(old[i]);
		close(old[i]);
	}
}

static void close_sockets(struct packet_port *pp)
{
	replace_sockets(pp, NULL);
	pp->ifindex = 0;
}

/* After they are in place: a worker that is woken by one of them must find it there. */
static int watch_sockets(struct packet_port *pp, const int *fd, struct err *err)
{
	const struct port_host *host = pp->host;

	for (unsigned i = 0; i < pp->port.n_queues; i++) {
		int ret = host->watch(host->ctx, &pp->port, i, fd[i]);

		if (ret < 0)
			return err_errno(err, -ret, "cannot wait for the packet socket");
	}
	return 0;
}

static void open_sockets(struct packet_port *pp, int ifindex)
{
	int fd[QUEUES_MAX];
	int ret = packet_sockets_open(pp, ifindex, fd, &pp->trouble);

	if (ret == 0) {
		replace_sockets(pp, fd);
		pp->ifindex = ifindex;
		ret = watch_sockets(pp, fd, &pp->trouble);
	}
	if (ret < 0)
		close_sockets(pp);
}

/* --- where we are and where we want to be ---------------------------------------------------- */

static bool bound(const struct packet_port *pp)
{
	return pp->ifindex && packet_socket_bound(packet_fd(&pp->queue[0]), pp->ifindex);
}

static int find(const struct packet_port *pp, struct link_info *link)
{
	const struct port_host *host = pp->host;
	int ret = host->find_link(host->ctx, pp->config.interface, 0, link);

	if (ret == -ENODEV && bound(pp))
		ret = host->find_link(host->ctx, NULL, pp->ifindex, link);
	return ret;
}

const char *packet_link_reason(const struct packet_port *pp, struct err *hint)
{
	const char *name = pp->link.name;

	if (pp->trouble.text[0]) {
		err_set(hint, 0, "nothing, if it passes: tried again by itself");
		return pp->trouble.text;
	}
	if (!pp->link.ifindex) {
		err_set(hint, 0, "create %s in this network namespace: the port comes up by itself",
			pp->config.interface);
		return "the interface does not exist";
	}
	if (!pp->link.up) {
		err_set(hint, 0, "ip link set %s up", name);
		return "the interface is administratively down";
	}
	if (!pp->link.running) {
		err_set(hint, 0, "check the cable, or the other end of the veth pair");
		return "the interface has no carrier";
	}
	return NULL;
}

/* --- transitions ----------------------------------------------------------------------------- */

static void tell_down(struct packet_port *pp, const char *reason)
{
	if (!pp->told_up && strcmp(pp->told.text, reason) == 0)
		return;
	err_set(&pp->told, 0, "%s", reason);
	pp->told_up = false;
	tell(pp, "link-down", reason);
}

static void tell_up(struct packet_port *pp)
{
	char detail[64];

	if (pp->told_up)
		return;
	pp->n_recoveries += pp->was_up;
	pp->was_up = true;
	pp->told_up = true;
	pp->told.text[0] = '\0';
	snprintf(detail, sizeof(detail), "%s, interface index %d", pp->link.name, pp->link.ifindex);
	tell(pp, "link-up", detail);
}

static void tell_changes(const struct packet_port *pp, const struct link_info *now)
{
	char detail[96];

	if (strcmp(now->name, pp->link.name) != 0) {
		snprintf(detail, sizeof(detail), "%s is called %s now", pp->link.name, now->name);
		tell(pp, "link-renamed", detail);
	}
	if (now->mtu != pp->link.mtu) {
		snprintf(detail, sizeof(detail), "the MTU was %u and is %u now", pp->link.mtu,
			now->mtu);
		tell(pp, "link-mtu", detail);
	}
}

/* Is on this interface from now on, or waits for it to be up. */
static void move(struct packet_port *pp, const struct link_info *link)
{
	if (pp->ifindex)
		tell_down(pp, "another interface took its place");
	pp->link = *link;
	if (link->up)
		open_sockets(pp, link->ifindex);
	else
		close_sockets(pp);
}

static void leave(struct packet_port *pp)
{
	close_sockets(pp);
	pp->link = (struct link_info) { 0 };
}

static void retry_later(struct packet_port *pp)
{
	unsigned ms = pp->trouble.text[0] ? pp->retry_ms : RETRY_MAX_MS;
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(pp->retry, &wait);
}

static void act(struct packet_port *pp)
{
	struct link_info link;
	int ret = find(pp, &link);

	if (ret == -ENODEV) {
		leave(pp);
	} else if (ret < 0) {
		/* What works goes on working. */
		if (!pp->ifindex)
			err_set(&pp->trouble, ret, "cannot ask the kernel about the interface: %s",
				strerror(-ret));
	} else if (link.ifindex == pp->ifindex && bound(pp)) {
		tell_changes(pp, &link);
		pp->link = link;
	} else {
		move(pp, &link);
	}
}

void packet_link_look(struct packet_port *pp)
{
	const char *reason;

	pp->trouble.text[0] = '\0';
	act(pp);
	reason = packet_link_reason(pp, NULL);
	if (reason)
		tell_down(pp, reason);
	else
		tell_up(pp);
	if (!pp->trouble.text[0])
		pp->retry_ms = RETRY_MIN_MS;
	if (pp->ifindex)
		event_del(pp->retry);
	else
		retry_later(pp);
}

void packet_link_changed(struct port *p, const char *name, int ifindex)
{
	struct packet_port *pp = packet_port(p);

	if (!name || ifindex == pp->link.ifindex || strcmp(name, pp->config.interface) == 0)
		packet_link_look(pp);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct packet_port *pp = arg;
	unsigned ms = pp->retry_ms * 2;

	pp->retry_ms = ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
	packet_link_look(pp);
}

int packet_link_start(struct packet_port *pp, struct err *err)
{
	int ret = packet_sockets_probe(err);

	if (ret < 0)
		return ret;
	pp->retry_ms = RETRY_MIN_MS;
	pp->retry = event_new(pp->host->base, -1, 0, on_retry, pp);
	if (!pp->retry)
		return err_set(err, -ENOMEM, "out of memory");
	ret = pp->host->watch_links(pp->host->ctx, &pp->port);
	if (ret < 0)
		return err_errno(err, -ret, "cannot watch network interfaces");
	packet_link_look(pp);
	return 0;
}

void packet_link_stop(struct packet_port *pp)
{
	pp->host->unwatch_links(pp->host->ctx, &pp->port);
	if (pp->retry)
		event_free(pp->retry);
	close_sockets(pp);
}
