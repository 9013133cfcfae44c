/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/vhost_server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/unix_socket.h"

/* Messages of one peer handled before others get their turn. */
#define MESSAGES_PER_TURN 32

static int send_reply(struct vhost_server *s, const struct vhost_message *m, struct err *err)
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

static int serve_message(struct vhost_server *s, struct err *err)
{
	struct vhost_message *m = &s->reader.message;
	int ret = vhost_user_handle(s->vu, m, err);

	log_debug("vhost-user request", log_str("port", s->name),
		log_str("request", vhost_request_name(m->header.request)), log_int("result", ret));
	if (ret < 0) {
		if (vhost_user_nack(s->vu, m))
			(void)send_reply(s, m, NULL);
		return ret;
	}
	return ret == 1 ? send_reply(s, m, err) : 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_server *s = arg;
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
			vhost_server_disconnect(s, err.text);
			return;
		}
		vhost_reader_next(&s->reader);
	}
}

/* The peer's end is closed; what it may have sent before is of no use any more. */
static bool hung_up(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };

	return poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

static void on_connect(evutil_socket_t listen_fd, short what, void *arg)
{
	struct vhost_server *s = arg;
	cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct unix_peer peer = { 0 };

	if (fd < 0)
		return;
	(void)unix_peer(fd, &peer);
	/* A VMM that is started again at once may be here before its predecessor's end is seen. */
	if (s->conn_fd >= 0 && hung_up(s->conn_fd))
		vhost_server_disconnect(s, NULL);
	if (s->conn_fd >= 0) {
		log_limited(LOG_LEVEL_WARN, "second connection refused", log_str("port", s->name),
			log_int("pid", peer.pid), log_int("connected_pid", s->peer_pid));
		return;
	}
	s->read_event = event_new(s->vu->host->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	if (!s->read_event)
		return;
	event_add(s->read_event, NULL);
	s->conn_fd = steal_fd(&fd);
	s->peer_pid = peer.pid;
	s->n_connections++;
	s->why.text[0] = '\0';
	vhost_reader_init(&s->reader);
	log_limited(LOG_LEVEL_INFO, "guest connected", log_str("port", s->name),
		log_int("pid", peer.pid));
}

int vhost_server_open(struct vhost_server *s, struct vhost_user *vu, const char *name,
	const char *path, struct err *err)
{
	int fd = unix_listen(path, 0660, err);

	*s = (struct vhost_server) { .vu = vu, .name = name, .listen_fd = fd, .conn_fd = -1 };
	if (fd < 0)
		return fd;
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->accept_event = event_new(vu->host->base, fd, EV_READ | EV_PERSIST, on_connect, s);
	if (!s->accept_event) {
		vhost_server_close(s);
		return err_set(err, -ENOMEM, "out of memory");
	}
	event_add(s->accept_event, NULL);
	return 0;
}

void vhost_server_disconnect(struct vhost_server *s, const char *why)
{
	if (s->conn_fd < 0)
		return;
	if (why && why[0]) {
		err_set(&s->why, 0, "%s", why);
		log_limited(LOG_LEVEL_WARN, "guest disconnected", log_str("port", s->name),
			log_str("reason", why));
	} else {
		log_limited(LOG_LEVEL_INFO, "guest disconnected", log_str("port", s->name));
	}
	event_free(s->read_event);
	s->read_event = NULL;
	vhost_reader_next(&s->reader);
	vhost_user_reset(s->vu);
	close(steal_fd(&s->conn_fd));
	s->peer_pid = 0;
}

void vhost_server_close(struct vhost_server *s)
{
	vhost_server_disconnect(s, NULL);
	if (s->accept_event)
		event_free(s->accept_event);
	s->accept_event = NULL;
	if (s->listen_fd >= 0) {
		close(steal_fd(&s->listen_fd));
		unlink(s->path);
	}
}
