/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/vsock/vsock_conn_host.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "switch/vsock/vsock_connect.h"

/* The guest learns that its data has been forwarded after this much at the latest. */
#define CREDIT_STEP (VSOCK_BUF_SIZE / 4)

/* The peer has closed its end altogether, or we both ours. */
static bool hung_up(int fd)
{
	struct pollfd pfd = { .fd = fd };

	return poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLHUP | POLLERR);
}

static void shut(struct vsock_conn *c, unsigned flags)
{
	if ((c->host_shut & flags) == flags)
		return;
	c->host_shut |= flags;
	if (c->guest == VSOCK_OPEN)
		c->say |= VSOCK_SAY_SHUTDOWN;
}

/* --- to the host ----------------------------------------------------------------------------- */

static void forwarded(struct vsock_conn *c, uint32_t len)
{
	c->forwarded += len;
	if (c->guest == VSOCK_OPEN && c->forwarded - c->told_forwarded >= CREDIT_STEP)
		c->say |= VSOCK_SAY_CREDIT;
}

/* Nobody reads what the guest sent and sends. */
static void discard(struct vsock_conn *c)
{
	shut(c, VIRTIO_VSOCK_SHUTDOWN_RCV);
	if (c->to_host)
		evbuffer_drain(c->to_host, evbuffer_get_length(c->to_host));
	forwarded(c, c->received - c->forwarded);
}

/* Keeps all but the first `skip` bytes. */
static int keep(struct vsock_conn *c, const struct iovec *iov, unsigned n, size_t skip)
{
	struct iovec rest[VSOCK_IOV_MAX];

	n = vsock_iov_part(iov, n, skip, SIZE_MAX, rest);
	if (!c->to_host)
		c->to_host = evbuffer_new();
	if (!c->to_host)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		if (evbuffer_add(c->to_host, rest[i].iov_base, rest[i].iov_len) < 0)
			return -ENOMEM;
	return 0;
}

int vsock_conn_host_write(struct vsock_conn *c, const struct iovec *iov, unsigned n, uint32_t len)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	ssize_t sent = 0;

	if (c->fd < 0 || c->host_shut & VIRTIO_VSOCK_SHUTDOWN_RCV) {
		forwarded(c, len);
		return 0;
	}
	if (vsock_conn_flushed(c))
		sent = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == EFAULT)
		return -EFAULT;
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		discard(c);
		return 0;
	}
	if (sent < 0)
		sent = 0;
	forwarded(c, (uint32_t)sent);
	return (size_t)sent < len ? keep(c, iov, n, (size_t)sent) : 0;
}

static void flush(struct vsock_conn *c)
{
	while (!vsock_conn_flushed(c)) {
		int n = evbuffer_write(c->to_host, c->fd);

		if (n > 0) {
			forwarded(c, (uint32_t)n);
		} else if (n < 0 && errno == EAGAIN) {
			return;
		} else if (n == 0 || errno != EINTR) {
			discard(c);
			return;
		}
	}
}

int vsock_conn_host_opened(struct vsock_conn *c)
{
	char line[24];
	int len = snprintf(line, sizeof(line), "OK %u\n", c->host_port);

	event_remove_timer(c->event);
	return send(c->fd, line, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) == len ? 0 : -EPIPE;
}

/* --- from the host --------------------------------------------------------------------------- */

void vsock_conn_host_ended(struct vsock_conn *c)
{
	shut(c, VIRTIO_VSOCK_SHUTDOWN_SEND);
	if (hung_up(c->fd))
		discard(c);
}

void vsock_conn_host_deafen(struct vsock_conn *c)
{
	if (c->fd < 0)
		return;
	(void)shutdown(c->fd, SHUT_RD);
	/* If it had been closed before that, nothing will be said about it any more. */
	if (hung_up(c->fd))
		vsock_conn_host_ended(c);
}

static bool request(struct vsock_conn *c, uint32_t port)
{
	struct vsock *v = c->vsock;

	/* A guest that does not run yet would not answer: the client tries again. One that has gone
	 * already is not waited for; its end will not be announced any more. */
	if (!vsock_rings_up(&v->rings) || hung_up(c->fd))
		return false;
	c->guest_port = port;
	c->host_port = vsock_new_port(v, port);
	c->guest = VSOCK_REQUESTED;
	c->say = VSOCK_SAY_REQUEST;
	vsock_enter(v, c);
	return true;
}

/* Reads the client's line, and not a byte more. */
static void greet(struct vsock_conn *c)
{
	char line[VSOCK_CONNECT_MAX];
	ssize_t have = recv(c->fd, line, sizeof(line), MSG_PEEK | MSG_DONTWAIT), len = 0;
	uint32_t port;

	if (have < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (have > 0)
		len = vsock_connect_parse(line, (size_t)have, &port);
	if (have > 0 && len == 0 && !hung_up(c->fd))
		return; /* the rest will come */
	if (len <= 0 || recv(c->fd, line, (size_t)len, MSG_DONTWAIT) != len || !request(c, port))
		vsock_conn_host_close(c);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct vsock_conn *c = arg;

	if (what & EV_READ)
		c->readable = true;
	if (what & EV_TIMEOUT || (c->guest == VSOCK_REQUESTED && hung_up(c->fd)))
		vsock_conn_reset(c);
	else if (c->guest == VSOCK_NONE)
		greet(c);
	else if (what & EV_WRITE)
		flush(c);
	/* Otherwise the end is found by reading up to it. */
	if (c->fd >= 0 && what & EV_READ &&
		(c->host_shut & VIRTIO_VSOCK_SHUTDOWN_SEND ||
			c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV) &&
		hung_up(c->fd))
		vsock_conn_host_ended(c);
	vsock_conn_settle(c);
}

/* --- life ------------------------------------------------------------------------------------ */

int vsock_conn_host_watch(struct vsock_conn *c, unsigned timeout_s)
{
	const struct timeval tv = { .tv_sec = timeout_s };

	c->event = event_new(
		c->vsock->base, c->fd, EV_READ | EV_WRITE | EV_ET | EV_PERSIST, on_event, c);
	if (!c->event || event_add(c->event, timeout_s ? &tv : NULL) < 0)
		return -ENOMEM;
	return 0;
}

void vsock_conn_accept(struct vsock *v, int fd)
{
	struct vsock_conn *c = v->n_conns < v->n_conns_max ? vsock_conn_new(v, fd) : NULL;

	if (!c) {
		log_limited(LOG_LEVEL_WARN, "connection refused",
			log_str("reason", "too many connections"));
		close(fd);
		return;
	}
	if (vsock_conn_host_watch(c, VSOCK_HANDSHAKE_S) < 0)
		vsock_conn_free(c);
}

void vsock_conn_host_settle(struct vsock_conn *c)
{
	if (c->fd < 0)
		return;
	if (c->host_shut == VSOCK_SHUTDOWN_RW ||
		(c->guest == VSOCK_GONE && vsock_conn_flushed(c))) {
		vsock_conn_host_close(c);
		return;
	}
	if (c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND && vsock_conn_flushed(c) && !c->wr_closed) {
		c->wr_closed = true;
		(void)shutdown(c->fd, SHUT_WR);
	}
}

void vsock_conn_host_close(struct vsock_conn *c)
{
	if (c->event)
		event_free(steal_ptr(&c->event));
	if (c->fd >= 0)
		close(steal_fd(&c->fd));
	if (c->to_host)
		evbuffer_free(steal_ptr(&c->to_host));
}
