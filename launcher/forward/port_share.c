/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Theory of operation. A connection has three states: its line is awaited; then a connection to the
 * port is being made, first on 127.0.0.1 and if that is refused on ::1; then it is a pair of
 * streams. Up to there it has a few seconds, and what is behind the line stays in the socket.
 */

#include "launcher/forward/port_share.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "launcher/forward/stream_pair.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/peek_line.h"
#include "lib/unix_socket.h"

#define ACCEPTS_PER_TURN 16
#define PAUSE_US         100000 /* where there are no descriptors for more */
#define BEGIN_S          10

struct conn {
	LIST_ENTRY(conn) link;
	struct port_share *share;
	int guest, target; /* -1: not yet, or the pair's */
	struct event *event;
	struct stream_pair *pair;
	char line[PORT_SHARE_LINE_MAX];
	size_t len;
	uint16_t port; /* 0: not said yet */
	bool on_v6;
};

struct port_share {
	struct event_base *loop;
	char *path;
	struct shared_ports ports;
	int fd;
	struct event *readable, *pause;
	LIST_HEAD(, conn) conns;
	unsigned n_conns, n_conns_max;
	uint64_t n_refused;
};

/* --- the line -------------------------------------------------------------------------------- */

int port_share_parse(const char *line, size_t len, uint16_t *port)
{
	uint32_t value = 0;

	if (len < 1 || len >= PORT_SHARE_LINE_MAX || line[0] == '0')
		return -EPROTO;
	for (size_t i = 0; i < len; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -EPROTO;
		value = value * 10 + (uint32_t)(line[i] - '0');
	}
	if (value > UINT16_MAX)
		return -EPROTO;
	*port = (uint16_t)value;
	return 0;
}

static bool is_shared(const struct port_share *s, uint16_t port)
{
	for (size_t i = 0; i < s->ports.n; i++)
		if (s->ports.port[i] == port)
			return true;
	return false;
}

/* --- connections ----------------------------------------------------------------------------- */

static void free_conn(struct conn *c)
{
	LIST_REMOVE(c, link);
	c->share->n_conns--;
	if (c->event != NULL)
		event_free(c->event);
	stream_pair_free(c->pair);
	if (c->guest >= 0)
		close(c->guest);
	if (c->target >= 0)
		close(c->target);
	free(c);
}

static void count_refused(struct port_share *s, uint16_t port, const char *reason)
{
	if (s->n_refused++ == 0)
		log_warn("shared-port-refused", log_int("port", port), log_str("reason", reason),
			log_str("so", "others are counted, and shown by sluice-vm status"));
}

static void on_pair_ended(void *owner)
{
	free_conn(owner);
}

static void pair_up(struct conn *c)
{
	const struct stream_pair_owner owner = { on_pair_ended, c };
	int on = 1;

	event_free(c->event);
	c->event = NULL;
	(void)setsockopt(c->target, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->pair = stream_pair_start(
		c->share->loop, steal_fd(&c->guest), steal_fd(&c->target), &owner);
	if (c->pair == NULL)
		free_conn(c);
}

static void on_connected(evutil_socket_t fd, short what, void *arg);

/* Negative: that cannot be. */
static int await(struct conn *c, int fd, short what, event_callback_fn callback)
{
	const struct timeval patience = { BEGIN_S, 0 };

	if (c->event != NULL)
		event_free(c->event);
	c->event = event_new(c->share->loop, fd, what | EV_PERSIST, callback, c);
	return c->event != NULL && event_add(c->event, &patience) == 0 ? 0 : -ENOMEM;
}

static int begin_connect(struct conn *c)
{
	const struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_port = htons(c->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(c->port), .sin6_addr = in6addr_loopback
	};
	int ret;

	c->target = socket(
		c->on_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->target < 0)
		return -errno;
	ret = c->on_v6 ? connect(c->target, (const struct sockaddr *)&v6, sizeof(v6))
		       : connect(c->target, (const struct sockaddr *)&v4, sizeof(v4));
	if (ret < 0 && errno != EINPROGRESS)
		return -errno;
	return await(c, c->target, EV_WRITE, on_connected);
}

/* On loopback a refusal may come at once. */
static void go_on_connecting(struct conn *c, int ret)
{
	while (ret == -ECONNREFUSED && !c->on_v6) {
		/* No event may outlive its descriptor. */
		if (c->event != NULL)
			event_free(c->event);
		c->event = NULL;
		close(steal_fd(&c->target));
		c->on_v6 = true;
		ret = begin_connect(c);
	}
	if (ret >= 0)
		return;
	log_limited(LOG_LEVEL_INFO, "shared-port-unreachable", log_int("port", c->port),
		log_str("reason", strerror(-ret)));
	free_conn(c);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	int error = ETIMEDOUT;
	socklen_t len = sizeof(error);

	if (what & EV_WRITE)
		(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error == 0)
		pair_up(c);
	else
		go_on_connecting(c, -error);
}

static void on_line(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	int ret = (what & EV_TIMEOUT) ? -ETIMEDOUT
				      : peek_line(c->guest, c->line, sizeof(c->line), &c->len);

	if (ret == 0)
		return;
	if (ret > 0)
		ret = port_share_parse(c->line, c->len - 1, &c->port);
	if (ret == 0 && is_shared(c->share, c->port)) {
		/* Its event is for another descriptor from here on. */
		event_free(c->event);
		c->event = NULL;
		go_on_connecting(c, begin_connect(c));
		return;
	}
	count_refused(c->share, c->port, ret == 0 ? "it is not shared" : "nothing was asked for");
	free_conn(c);
}

/* The descriptor is taken. */
static void begin(struct port_share *s, int fd)
{
	struct conn *c = s->n_conns < s->n_conns_max ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL) {
		count_refused(s, 0, "there are too many connections");
		close(fd);
		return;
	}
	*c = (struct conn) { .share = s, .guest = fd, .target = -1 };
	LIST_INSERT_HEAD(&s->conns, c, link);
	s->n_conns++;
	if (await(c, fd, EV_READ, on_line) < 0)
		free_conn(c);
}

/* --- listening ------------------------------------------------------------------------------- */

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct port_share *s = arg;

	(void)event_add(s->readable, NULL);
}

static void on_guest(evutil_socket_t listen_fd, short what, void *arg)
{
	const struct timeval pause = { 0, PAUSE_US };
	struct port_share *s = arg;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			begin(s, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			(void)event_del(s->readable);
			(void)event_add(s->pause, &pause);
		}
		return;
	}
}

static int listen_at(struct port_share *s, const char *path, struct err *err)
{
	s->fd = unix_listen(path, 0600, err);
	if (s->fd < 0)
		return s->fd;
	s->path = strdup(path);
	s->readable = event_new(s->loop, s->fd, EV_READ | EV_PERSIST, on_guest, s);
	s->pause = evtimer_new(s->loop, on_pause_over, s);
	if (s->path == NULL || s->readable == NULL || s->pause == NULL ||
		event_add(s->readable, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int port_share_start(struct event_base *loop, const char *path, const struct shared_ports *ports,
	unsigned n_conns_max, struct port_share **out, struct err *err)
{
	struct port_share *s = calloc(1, sizeof(*s));
	int ret;

	if (s == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	*s = (struct port_share) { .loop = loop, .ports = *ports, .n_conns_max = n_conns_max };
	ret = listen_at(s, path, err);
	if (ret < 0)
		port_share_free(s);
	else
		*out = s;
	return ret;
}

json_t *port_share_status(const struct port_share *s)
{
	return json_pack(
		"{s:i, s:I}", "connections", (int)s->n_conns, "refused", (json_int_t)s->n_refused);
}

void port_share_free(struct port_share *s)
{
	if (s == NULL)
		return;
	while (!LIST_EMPTY(&s->conns))
		free_conn(LIST_FIRST(&s->conns));
	if (s->readable != NULL)
		event_free(s->readable);
	if (s->pause != NULL)
		event_free(s->pause);
	if (s->fd >= 0)
		close(s->fd);
	if (s->path != NULL)
		(void)unlink(s->path);
	free(s->path);
	free(s);
}
