/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/exec/exec_link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

/* With what evbuffers add to it, 128 KiB of memory. */
#define READ_MAX ((128U << 10) - 256)

struct exec_link {
	int fd;
	bool listens, hung_up, deaf;
	struct event *can_read, *can_write;
	struct evbuffer *in, *out;
	struct exec_link_owner owner;
};

/* False: there is nothing now. */
static bool read_some(struct exec_link *link)
{
	struct evbuffer_iovec room[2];
	int n_rooms = evbuffer_reserve_space(link->in, READ_MAX, room, 2);
	size_t left;
	ssize_t n;

	if (n_rooms <= 0) {
		link->hung_up = true;
		return true;
	}
	n = readv(link->fd, (struct iovec *)room, n_rooms);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	link->hung_up = n <= 0;
	left = n > 0 ? (size_t)n : 0;
	for (int i = 0; i < n_rooms; i++) {
		if (room[i].iov_len > left)
			room[i].iov_len = left;
		left -= room[i].iov_len;
	}
	evbuffer_commit_space(link->in, room, n_rooms);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct exec_link *link = arg;

	if (!read_some(link))
		return;
	if (link->hung_up)
		exec_link_listen(link, false);
	link->owner.readable(link->owner.owner);
}

void exec_link_flush(struct exec_link *link)
{
	while (!link->deaf && evbuffer_get_length(link->out) > 0) {
		if (evbuffer_write(link->out, link->fd) >= 0)
			continue;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN) {
			(void)event_add(link->can_write, NULL);
			return;
		}
		link->deaf = true;
	}
	if (link->deaf)
		evbuffer_drain(link->out, evbuffer_get_length(link->out));
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct exec_link *link = arg;

	exec_link_flush(link);
	if (evbuffer_get_length(link->out) <= EXEC_LINK_LOW)
		link->owner.writable(link->owner.owner);
}

void exec_link_listen(struct exec_link *link, bool listens)
{
	if (listens == link->listens || (listens && link->hung_up))
		return;
	link->listens = listens;
	if (listens)
		(void)event_add(link->can_read, NULL);
	else
		(void)event_del(link->can_read);
}

struct exec_link *exec_link_open(
	struct event_base *loop, int fd, const struct exec_link_owner *owner)
{
	struct exec_link *link = calloc(1, sizeof(*link));

	if (link == NULL) {
		close(fd);
		return NULL;
	}
	link->fd = fd;
	link->owner = *owner;
	link->in = evbuffer_new();
	link->out = evbuffer_new();
	link->can_read = event_new(loop, fd, EV_READ | EV_PERSIST, on_readable, link);
	link->can_write = event_new(loop, fd, EV_WRITE, on_writable, link);
	if (link->in != NULL && link->out != NULL && link->can_read != NULL &&
		link->can_write != NULL)
		return link;
	exec_link_close(link);
	return NULL;
}

void exec_link_close(struct exec_link *link)
{
	if (link == NULL)
		return;
	if (link->can_read != NULL)
		event_free(link->can_read);
	if (link->can_write != NULL)
		event_free(link->can_write);
	if (link->in != NULL)
		evbuffer_free(link->in);
	if (link->out != NULL)
		evbuffer_free(link->out);
	close(link->fd);
	free(link);
}

struct evbuffer *exec_link_in(const struct exec_link *link)
{
	return link->in;
}

struct evbuffer *exec_link_out(const struct exec_link *link)
{
	return link->out;
}

bool exec_link_hung_up(const struct exec_link *link)
{
	return link->hung_up;
}

bool exec_link_is_deaf(const struct exec_link *link)
{
	return link->deaf;
}
