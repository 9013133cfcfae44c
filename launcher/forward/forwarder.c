/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/forward/forwarder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>

#include <event2/event.h>

#include "launcher/forward/guest_dial.h"
#include "launcher/forward/stream_pair.h"
#include "lib/cleanup.h"

#define LOOPBACK_IFINDEX 1 /* in every network namespace: the kernel's own name for it */
#define ACCEPTS_PER_TURN 16
#define PAUSE_MS         100 /* where there are no descriptors for more */

struct forwarder_port {
	LIST_ENTRY(forwarder_port) link;
	struct forwarder *forwarder;
	int fd;
	struct event *readable, *pause;
	uint16_t local, remote;
	bool is_mirror; /* of the guest's port on the same address */
	struct ip_addr address;
};

/* First it is a dial, then a pair. */
struct conn {
	LIST_ENTRY(conn) link;
	struct forwarder *forwarder;
	int fd; /* until it is the pair's */
	struct guest_dial *dial;
	struct stream_pair *pair;
	uint16_t local, remote;
	struct ip_addr address; /* of the guest's; kept for the dial */
};

struct forwarder {
	struct event_base *loop;
	const char *vsock;
	struct forwarder_owner owner;
	LIST_HEAD(, forwarder_port) listeners;
	LIST_HEAD(, conn) conns;
	unsigned n_conns, n_conns_max; /* 0: no limit */
};

/* --- connections ----------------------------------------------------------------------------- */

static void free_conn(struct conn *c)
{
	LIST_REMOVE(c, link);
	c->forwarder->n_conns--;
	guest_dial_free(c->dial);
	stream_pair_free(c->pair);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

static void tell_refused(
	struct forwarder *f, uint16_t local, uint16_t remote, const struct err *why)
{
	f->owner.refused(f->owner.owner, local, remote, why);
}

static void refuse(struct conn *c, const struct err *why)
{
	tell_refused(c->forwarder, c->local, c->remote, why);
	free_conn(c);
}

static void on_pair_ended(void *owner)
{
	free_conn(owner);
}

static void on_dialed(void *owner, int fd, const struct err *why)
{
	struct conn *c = owner;
	const struct stream_pair_owner pair = { on_pair_ended, c };
	struct err err = { "" };

	if (fd < 0) {
		refuse(c, why);
		return;
	}
	guest_dial_free(c->dial);
	c->dial = NULL;
	c->pair = stream_pair_start(c->forwarder->loop, c->fd, fd, &pair);
	c->fd = -1;
	if (c->pair != NULL)
		return;
	(void)err_set(&err, -ENOMEM, "out of memory");
	refuse(c, &err);
}

static void dial(struct conn *c, bool is_mirror)
{
	const struct guest_dial_plan plan = { .vsock = c->forwarder->vsock,
		.port = c->remote,
		.address = is_mirror ? &c->address : NULL,
		.done = on_dialed,
		.owner = c };
	struct err err = { "" };

	if (guest_dial_start(c->forwarder->loop, &plan, &c->dial, &err) < 0)
		refuse(c, &err);
}

/* The descriptor is taken. */
static void begin(const struct forwarder_port *l, int fd)
{
	struct forwarder *f = l->forwarder;
	bool full = f->n_conns_max > 0 && f->n_conns >= f->n_conns_max;
	struct conn *c = full ? NULL : calloc(1, sizeof(*c));
	struct err why = { "" };
	int on = 1;

	if (c == NULL) {
		close(fd);
		(void)err_set(
			&why, -ENOMEM, full ? "there are %u already" : "out of memory", f->n_conns);
		tell_refused(f, l->local, l->remote, &why);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*c = (struct conn) { .forwarder = f,
		.fd = fd,
		.local = l->local,
		.remote = l->remote,
		.address = l->address };
	LIST_INSERT_HEAD(&f->conns, c, link);
	f->n_conns++;
	dial(c, l->is_mirror);
}

/* --- listening ------------------------------------------------------------------------------- */

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct forwarder_port *l = arg;

	(void)event_add(l->readable, NULL);
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval pause = { 0, PAUSE_MS * 1000 };
	struct forwarder_port *l = arg;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn >= 0) {
			begin(l, conn);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			(void)event_del(l->readable);
			(void)event_add(l->pause, &pause);
		}
		return;
	}
}

static socklen_t fill(const struct ip_addr *a, uint16_t port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	*address = (struct sockaddr_storage) { 0 };
	/* The port is at the same place in both. */
	v4->sin_port = htons(port);
	if (ip_addr_is_v4(a)) {
		v4->sin_family = AF_INET;
		memcpy(&v4->sin_addr, a->byte + 12, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	memcpy(&v6->sin6_addr, a->byte, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

/*
 * Drops all that does not come over the loopback interface, which has the same number everywhere.
 * (SO_BINDTODEVICE is no help: what is from here to an IPv4 address of another interface counts
 * there as come in by that one.) Connections inherit it.
 */
static int keep_to_loopback(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LOOPBACK_IFINDEX, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int open_socket(const struct ip_addr *a, uint16_t *port, bool is_mirror, struct err *err)
{
	cleanup_close int fd = -1;
	struct sockaddr_storage address;
	socklen_t len = fill(a, *port, &address), room = sizeof(address);
	char text[IP_ADDR_TEXT_MAX];
	int on = 1;

	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, errno, "cannot make a socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (is_mirror && keep_to_loopback(fd) < 0)
		return err_errno(err, errno, "cannot keep a socket to loopback");
	if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &room) < 0)
		return err_errno(
			err, errno, "cannot listen on %s port %u", ip_addr_format(a, text), *port);
	*port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	return steal_fd(&fd);
}

void forwarder_close(struct forwarder_port *l)
{
	LIST_REMOVE(l, link);
	if (l->readable != NULL)
		event_free(l->readable);
	if (l->pause != NULL)
		event_free(l->pause);
	close(l->fd);
	free(l);
}

static int listen_on(struct forwarder *f, const struct ip_addr *address, uint16_t *local,
	uint16_t remote, bool is_mirror, struct forwarder_port **out, struct err *err)
{
	int fd = open_socket(address, local, is_mirror, err);
	struct forwarder_port *l;

	if (fd < 0)
		return fd;
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		close(fd);
		return err_set(err, -ENOMEM, "out of memory");
	}
	*l = (struct forwarder_port) { .forwarder = f,
		.fd = fd,
		.local = *local,
		.remote = remote,
		.is_mirror = is_mirror,
		.address = *address };
	LIST_INSERT_HEAD(&f->listeners, l, link);
	l->readable = event_new(f->loop, fd, EV_READ | EV_PERSIST, on_connection, l);
	l->pause = evtimer_new(f->loop, on_pause_over, l);
	if (l->readable != NULL && l->pause != NULL && event_add(l->readable, NULL) == 0) {
		*out = l;
		return 0;
	}
	forwarder_close(l);
	return err_set(err, -ENOMEM, "out of memory");
}

int forwarder_listen(struct forwarder *f, const struct ip_addr *address, uint16_t *local,
	uint16_t remote, struct err *err)
{
	struct forwarder_port *port;

	return listen_on(f, address, local, remote, false, &port, err);
}

int forwarder_mirror(struct forwarder *f, const struct ip_addr *address, uint16_t port,
	struct forwarder_port **out, struct err *err)
{
	uint16_t local = port;

	return listen_on(f, address, &local, port, true, out, err);
}

void forwarder_limit(struct forwarder *f, unsigned n_conns_max)
{
	f->n_conns_max = n_conns_max;
}

unsigned forwarder_count(const struct forwarder *f)
{
	return f->n_conns;
}

struct forwarder *forwarder_new(
	struct event_base *loop, const char *vsock, const struct forwarder_owner *owner)
{
	struct forwarder *f = calloc(1, sizeof(*f));

	if (f != NULL)
		*f = (struct forwarder) { .loop = loop, .vsock = vsock, .owner = *owner };
	return f;
}

void forwarder_free(struct forwarder *f)
{
	if (f == NULL)
		return;
	while (!LIST_EMPTY(&f->conns))
		free_conn(LIST_FIRST(&f->conns));
	while (!LIST_EMPTY(&f->listeners))
		forwarder_close(LIST_FIRST(&f->listeners));
	free(f);
}
