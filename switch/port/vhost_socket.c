/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/monotonic.h"
#include "lib/unix_socket.h"
#include "switch/port/port.h"

/* Messages of one peer handled before others get their turn. */
#define MESSAGES_PER_TURN 32

#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000

/* How long a VMM that made its call descriptor block stays away. */
#define HANG_PAUSE_MS 1000

static void tell(const struct vhost_socket *s, const char *event, const char *detail)
{
	s->vu->host->event(s->vu->host->ctx, s->vu->port, event, detail);
}

/* --- a connection ---------------------------------------------------------------------------- */

static int send_reply(struct vhost_socket *s, const struct vhost_message *m, struct err *err)
{
	size_t len = sizeof(m->header) + m->header.size;
	uint8_t wire[sizeof(m->header) + sizeof(m->payload)];
	ssize_t n;

	memcpy(wire, &m->header, sizeof(m->header));
	memcpy(wire + sizeof(m->header), &m->payload, m->header.size);
	n = unix_send_fds(s->conn_fd, wire, len, NULL, 0);
	if (n == (ssize_t)len)
		return 0;
	return err_set(err, n < 0 ? (int)n : -EAGAIN, "the peer does not read its replies");
}

static int serve_message(struct vhost_socket *s, struct err *err)
{
	struct vhost_message *m = &s->reader.message;
	int ret = vhost_user_handle(s->vu, m, err);

	log_debug("vhost-user request", log_str("port", s->vu->port->name),
		log_str("request", vhost_request_name(m->header.request)), log_int("result", ret));
	if (ret < 0) {
		if (vhost_user_nack(s->vu, m))
			(void)send_reply(s, m, NULL);
		return ret;
	}
	if (foreign_closer_stuck(s->vu->closer))
		return err_set(err, -EMFILE, "the peer's descriptors cannot be closed");
	/* Not when the worker gets round to saying so: the next message costs as much again. */
	if (vhost_user_hung(s->vu))
		return err_set(err, -EIO, "%s", virtqueue_fault_text[VIRTQUEUE_FAULT_SIGNAL]);
	return ret == 1 ? send_reply(s, m, err) : 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_socket *s = arg;
	struct err err = { "" };

	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		int ret = vhost_reader_fill(&s->reader, s->conn_fd);

		if (ret == 0)
			return;
		if (ret == 1)
			ret = serve_message(s, &err);
		else if (ret == -EPROTO)
			err_set(&err, ret, "not a vhost-user message");
		if (ret < 0) {
			vhost_socket_disconnect(s, err.text);
			return;
		}
		vhost_reader_next(&s->reader);
	}
}

/* Begins to serve `fd`, which is the socket's from now on. */
static void begin(struct vhost_socket *s, int fd, const struct unix_peer *peer)
{
	char detail[32];

	s->read_event = event_new(s->vu->host->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	if (!s->read_event) {
		foreign_connection_close(s->vu->closer, fd);
		return;
	}
	event_add(s->read_event, NULL);
	s->conn_fd = fd;
	s->peer_pid = peer->pid;
	s->n_connections++;
	vhost_reader_init(&s->reader, s->vu->closer);
	snprintf(detail, sizeof(detail), "pid %d", (int)peer->pid);
	tell(s, "guest-connected", detail);
}

/* --- server ---------------------------------------------------------------------------------- */

/* The peer's end is closed; what it may have sent before is of no use any more. */
static bool hung_up(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };

	return poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/* Closing what is refused must not wait either: it may hold descriptors already. */
static void refuse(struct vhost_socket *s, int fd, const struct unix_peer *peer, const char *why)
{
	log_limited(LOG_LEVEL_WARN, "connection refused", log_str("port", s->vu->port->name),
		log_int("pid", peer->pid), log_str("reason", why));
	foreign_connection_close(s->vu->closer, fd);
}

static void on_connect(evutil_socket_t listen_fd, short what, void *arg)
{
	struct vhost_socket *s = arg;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct unix_peer peer = { 0 };

	if (fd < 0)
		return;
	(void)unix_peer(fd, &peer);
	/* A VMM that is started again at once may be here before its predecessor's end is seen. */
	if (s->conn_fd >= 0 && hung_up(s->conn_fd))
		vhost_socket_disconnect(s, NULL);
	if (s->conn_fd >= 0)
		refuse(s, fd, &peer, "another VMM is connected");
	else if (foreign_closer_stuck(s->vu->closer))
		refuse(s, fd, &peer, "descriptors of a former peer cannot be closed");
	else
		begin(s, fd, &peer);
}

static int listen_at(struct vhost_socket *s, mode_t mode, struct err *err)
{
	s->listen_fd = unix_listen(s->path, mode, err);
	if (s->listen_fd < 0)
		return s->listen_fd;
	s->accept_event =
		event_new(s->vu->host->base, s->listen_fd, EV_READ | EV_PERSIST, on_connect, s);
	if (!s->accept_event)
		return err_set(err, -ENOMEM, "out of memory");
	event_add(s->accept_event, NULL);
	return 0;
}

static void on_pause_over(evutil_socket_t unused, short what, void *arg)
{
	struct vhost_socket *s = arg;

	event_free(steal_ptr(&s->pause_event));
	event_add(s->accept_event, NULL);
}

/* Accepts nobody for HANG_PAUSE_MS. */
static void pause_accepting(struct vhost_socket *s)
{
	const struct timeval tv = { .tv_sec = HANG_PAUSE_MS / 1000,
		.tv_usec = HANG_PAUSE_MS % 1000 * 1000 };

	if (!s->accept_event || s->pause_event)
		return;
	s->pause_event = evtimer_new(s->vu->host->base, on_pause_over, s);
	if (!s->pause_event)
		return;
	event_del(s->accept_event);
	event_add(s->pause_event, &tv);
}

/* --- client ---------------------------------------------------------------------------------- */

/* Give or take a quarter. */
static unsigned jittered(unsigned ms)
{
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return ms - ms / 4 + random % (ms / 2 + 1);
}

/* Not before `least_ms` have passed. */
static void retry_later(struct vhost_socket *s, unsigned least_ms)
{
	unsigned delay = jittered(s->delay_ms), ms = delay > least_ms ? delay : least_ms;
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	s->delay_ms = s->delay_ms < RETRY_MAX_MS / 2 ? 2 * s->delay_ms : RETRY_MAX_MS;
	s->retry_at_ms = monotonic_ms() + ms;
	event_add(s->retry_event, &tv);
}

/* Says it as somebody would who knows what the socket is for. */
static void explain(struct vhost_socket *s, int code)
{
	if (code == -ENOENT || code == -ECONNREFUSED)
		err_set(&s->attempt, 0, "no VMM listens on %s", s->path);
	else if (code == -EAGAIN)
		err_set(&s->attempt, 0, "the VMM on %s accepts no connection", s->path);
}

static void on_retry(evutil_socket_t unused, short what, void *arg)
{
	struct vhost_socket *s = arg;
	struct unix_peer peer = { 0 };
	int fd;

	s->retry_at_ms = 0;
	s->n_attempts++;
	s->attempt.text[0] = '\0';
	if (foreign_closer_stuck(s->vu->closer))
		fd = err_set(&s->attempt, -EMFILE, "descriptors of a former peer cannot be closed");
	else
		fd = unix_connect(s->path, &s->attempt);
	if (fd < 0) {
		explain(s, fd);
		log_debug("no connection", log_str("port", s->vu->port->name),
			log_str("reason", s->attempt.text));
		retry_later(s, 0);
		return;
	}
	(void)unix_peer(fd, &peer);
	begin(s, fd, &peer);
	if (s->conn_fd < 0)
		retry_later(s, 0);
}

static int start_connecting(struct vhost_socket *s, struct err *err)
{
	const struct timeval at_once = { 0 };

	s->retry_event = evtimer_new(s->vu->host->base, on_retry, s);
	if (!s->retry_event)
		return err_set(err, -ENOMEM, "out of memory");
	s->retry_at_ms = monotonic_ms();
	event_add(s->retry_event, &at_once);
	return 0;
}

int64_t vhost_socket_retry_in_ms(const struct vhost_socket *s)
{
	int64_t left = s->retry_at_ms ? s->retry_at_ms - monotonic_ms() : 0;

	return left > 0 ? left : 0;
}

/* --- life ------------------------------------------------------------------------------------ */

int vhost_socket_open(struct vhost_socket *s, struct vhost_user *vu, const char *path, mode_t mode,
	bool client, struct err *err)
{
	int ret;

	*s = (struct vhost_socket) {
		.vu = vu,
		.client = client,
		.listen_fd = -1,
		.conn_fd = -1,
		.delay_ms = RETRY_MIN_MS,
	};
	if ((size_t)snprintf(s->path, sizeof(s->path), "%s", path) >= sizeof(s->path))
		return err_set(err, -ENAMETOOLONG, "socket path \"%s\" is too long", path);
	ret = client ? start_connecting(s, err) : listen_at(s, mode, err);
	if (ret < 0)
		vhost_socket_close(s);
	return ret;
}

void vhost_socket_good(struct vhost_socket *s)
{
	s->delay_ms = RETRY_MIN_MS;
}

void vhost_socket_disconnect(struct vhost_socket *s, const char *why)
{
	bool broken = why && why[0], hung;

	if (s->conn_fd < 0)
		return;
	err_set(&s->why, 0, "%s", broken ? why : "");
	if (broken)
		tell(s, "guest-broken", why);
	event_free(steal_ptr(&s->read_event));
	vhost_reader_next(&s->reader);
	hung = vhost_user_reset(s->vu);
	foreign_connection_close(s->vu->closer, steal_fd(&s->conn_fd));
	s->peer_pid = 0;
	s->vu->host->forget(s->vu->host->ctx, s->vu->port);
	tell(s, "guest-disconnected", broken ? why : "the VMM hung up");
	if (s->retry_event)
		retry_later(s, hung ? HANG_PAUSE_MS : 0);
	else if (hung)
		pause_accepting(s);
}

void vhost_socket_close(struct vhost_socket *s)
{
	if (s->retry_event)
		event_free(steal_ptr(&s->retry_event));
	if (s->pause_event)
		event_free(steal_ptr(&s->pause_event));
	if (s->accept_event)
		event_free(steal_ptr(&s->accept_event));
	vhost_socket_disconnect(s, NULL);
	if (s->listen_fd >= 0) {
		close(steal_fd(&s->listen_fd));
		unlink(s->path);
	}
}
