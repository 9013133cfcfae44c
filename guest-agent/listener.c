/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest-agent/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <event2/event.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/unix_socket.h"

#define BACKLOG         1024 /* more at once than there can be would be refused */
#define ACCEPT_PAUSE_US 100000

struct listener {
	int fd;
	char *path; /* NULL: vsock */
	struct event *on_connect;
	struct event *on_pause_over;
	listener_accepted *accepted;
	void *owner;
};

bool listener_is_host(const struct sockaddr_vm *peer)
{
	return peer->svm_family == AF_VSOCK && peer->svm_cid == VMADDR_CID_HOST;
}

static bool is_ours(int fd)
{
	struct unix_peer peer;

	return unix_peer(fd, &peer) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

/* No descriptor is free: who waits would wake us again at once, and for nothing. */
static void pause_accepting(struct listener *listener)
{
	const struct timeval pause = { .tv_usec = ACCEPT_PAUSE_US };

	event_del(listener->on_connect);
	event_add(listener->on_pause_over, &pause);
	log_limited(LOG_LEVEL_WARN, "out of descriptors: a client waits");
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	event_add(listener->on_connect, NULL);
}

static void on_connect(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listener *listener = arg;
	struct sockaddr_vm peer = { 0 };
	socklen_t len = sizeof(peer);
	cleanup_close int fd = -1;

	fd = accept4(listen_fd, listener->path != NULL ? NULL : (struct sockaddr *)&peer,
		listener->path != NULL ? NULL : &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		pause_accepting(listener);
	if (fd < 0)
		return;
	if (listener->path != NULL ? is_ours(fd) : listener_is_host(&peer))
		listener->accepted(listener->owner, steal_fd(&fd));
	else
		log_limited(LOG_LEVEL_WARN, "a client that is not the host was refused",
			log_int("cid", peer.svm_cid));
}

static int make(struct event_base *loop, int fd, const char *path, listener_accepted *accepted,
	void *owner, struct listener **out, struct err *err)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (listener == NULL) {
		close(fd);
		return err_set(err, -ENOMEM, "out of memory");
	}
	*listener = (struct listener) { .fd = fd, .accepted = accepted, .owner = owner };
	listener->path = path != NULL ? strdup(path) : NULL;
	listener->on_connect = event_new(loop, fd, EV_READ | EV_PERSIST, on_connect, listener);
	listener->on_pause_over = evtimer_new(loop, on_pause_over, listener);
	if ((path != NULL && listener->path == NULL) || listener->on_connect == NULL ||
		listener->on_pause_over == NULL || event_add(listener->on_connect, NULL) < 0) {
		listener_free(listener);
		return err_set(err, -ENOMEM, "out of memory");
	}
	*out = listener;
	return 0;
}

int listener_vsock(struct event_base *loop, unsigned port, listener_accepted *accepted, void *owner,
	struct listener **out, struct err *err)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = port,
	};
	cleanup_close int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(err, errno, "cannot create a vsock socket");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		return err_errno(err, errno, "cannot listen on vsock port %u", port);
	return make(loop, steal_fd(&fd), NULL, accepted, owner, out, err);
}

int listener_unix(struct event_base *loop, const char *path, listener_accepted *accepted,
	void *owner, struct listener **out, struct err *err)
{
	int fd = unix_listen(path, 0600, err);

	if (fd < 0)
		return fd;
	listen(fd, BACKLOG);
	return make(loop, fd, path, accepted, owner, out, err);
}

void listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	if (listener->on_connect != NULL)
		event_free(listener->on_connect);
	if (listener->on_pause_over != NULL)
		event_free(listener->on_pause_over);
	close(listener->fd);
	if (listener->path != NULL)
		unlink(listener->path);
	free(listener->path);
	free(listener);
}
