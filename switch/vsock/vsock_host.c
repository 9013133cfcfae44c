/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/vsock/vsock_host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/unix_socket.h"
#include "switch/vsock/vsock_conn.h"

#define BACKLOG          1024 /* clients that connect at once are not to be told to try again */
#define ACCEPTS_PER_TURN 16
#define ACCEPT_PAUSE_MS  100
#define PORT_TEXT_MAX    sizeof("_4294967295")

static void on_pause_over(evutil_socket_t unused, short what, void *arg)
{
	struct vsock_host *h = arg;

	event_add(h->accept_event, NULL);
}

/* Without a descriptor for the next client, it would be announced again and again. */
static void pause_accepting(struct vsock_host *h)
{
	const struct timeval tv = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };

	log_limited(
		LOG_LEVEL_WARN, "cannot accept a connection", log_str("reason", strerror(errno)));
	event_del(h->accept_event);
	event_add(h->pause_event, &tv);
}

static void on_client(evutil_socket_t listen_fd, short what, void *arg)
{
	struct vsock_host *h = arg;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			vsock_conn_accept(h->vsock, fd);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR && errno != ECONNABORTED)
			return pause_accepting(h);
	}
}

int vsock_host_open(struct vsock_host *h, struct vsock *v, const char *path, struct err *err)
{
	*h = (struct vsock_host) { .path = path, .vsock = v, .listen_fd = -1 };
	if (strlen(path) + PORT_TEXT_MAX > sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return err_set(err, -ENAMETOOLONG,
			"socket path \"%s\" leaves no room for a port behind it", path);
	h->listen_fd = unix_listen(path, 0600, err);
	if (h->listen_fd < 0)
		return h->listen_fd;
	(void)listen(h->listen_fd, BACKLOG);
	h->accept_event = event_new(v->base, h->listen_fd, EV_READ | EV_PERSIST, on_client, h);
	h->pause_event = evtimer_new(v->base, on_pause_over, h);
	if (!h->accept_event || !h->pause_event) {
		vsock_host_close(h);
		return err_set(err, -ENOMEM, "out of memory");
	}
	event_add(h->accept_event, NULL);
	return 0;
}

int vsock_host_connect(const struct vsock_host *h, uint32_t port)
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + PORT_TEXT_MAX];
	struct err err = { "" };
	int fd;

	snprintf(path, sizeof(path), "%s_%" PRIu32, h->path, port);
	fd = unix_connect(path, &err);
	if (fd < 0)
		log_limited(LOG_LEVEL_INFO, "connection of the guest's refused",
			log_int("port", port), log_str("reason", err.text));
	return fd;
}

void vsock_host_close(struct vsock_host *h)
{
	if (h->pause_event)
		event_free(steal_ptr(&h->pause_event));
	if (h->accept_event)
		event_free(steal_ptr(&h->accept_event));
	if (h->listen_fd >= 0) {
		close(steal_fd(&h->listen_fd));
		unlink(h->path);
	}
}
