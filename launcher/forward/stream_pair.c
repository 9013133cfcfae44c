/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/forward/stream_pair.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#define BUFFER_SIZE     65536
#define COPIES_PER_TURN 16 /* others come first then */

/* One direction: waits either for bytes or for room. */
struct flow {
	struct stream_pair *pair;
	int from, to;
	struct event *readable, *writable;
	size_t at, len; /* of what is still to be written */
	bool done;
	char buffer[BUFFER_SIZE];
};

struct stream_pair {
	struct flow flow[2];
	struct stream_pair_owner owner;
};

static bool may_go_on(ssize_t n)
{
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

/* 0: it is all written; 1: there is no room now. */
static int write_some(struct flow *f)
{
	while (f->len > 0) {
		ssize_t n = send(f->to, f->buffer + f->at, f->len, MSG_NOSIGNAL);

		if (!may_go_on(n))
			return -errno;
		if (n < 0 && errno == EAGAIN)
			return 1;
		f->at += n > 0 ? (size_t)n : 0;
		f->len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* 0: something came, or the end; 1: there is nothing now. */
static int read_some(struct flow *f)
{
	ssize_t n = recv(f->from, f->buffer, sizeof(f->buffer), 0);

	if (!may_go_on(n))
		return -errno;
	if (n < 0)
		return 1;
	f->at = 0;
	f->len = (size_t)n;
	f->done = n == 0;
	if (f->done)
		(void)shutdown(f->to, SHUT_WR);
	return 0;
}

static int wait_for(struct event *wanted, struct event *other)
{
	(void)event_del(other);
	return event_add(wanted, NULL) < 0 ? -ENOMEM : 0;
}

static int copy(struct flow *f)
{
	for (int i = 0; i < COPIES_PER_TURN && !f->done; i++) {
		int ret = write_some(f);

		if (ret > 0)
			return wait_for(f->writable, f->readable);
		if (ret == 0)
			ret = read_some(f);
		if (ret != 0)
			return ret < 0 ? ret : wait_for(f->readable, f->writable);
	}
	if (!f->done)
		return wait_for(f->len > 0 ? f->writable : f->readable,
			f->len > 0 ? f->readable : f->writable);
	(void)event_del(f->readable);
	return event_del(f->writable);
}

/* The peers see that not all was taken. */
static void break_off(struct stream_pair *pair)
{
	const struct linger reset = { .l_onoff = 1 };

	for (int i = 0; i < 2; i++)
		(void)setsockopt(pair->flow[i].from, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct flow *f = arg;
	struct stream_pair *pair = f->pair;
	int ret = copy(f);

	if (ret < 0)
		break_off(pair);
	if (ret < 0 || (pair->flow[0].done && pair->flow[1].done))
		pair->owner.ended(pair->owner.owner);
}

static int make_flow(struct stream_pair *pair, struct event_base *loop, struct flow *f)
{
	f->pair = pair;
	f->readable = event_new(loop, f->from, EV_READ | EV_PERSIST, on_event, f);
	f->writable = event_new(loop, f->to, EV_WRITE | EV_PERSIST, on_event, f);
	return f->readable == NULL || f->writable == NULL || event_add(f->readable, NULL) < 0
		       ? -ENOMEM
		       : 0;
}

struct stream_pair *stream_pair_start(
	struct event_base *loop, int one, int other, const struct stream_pair_owner *owner)
{
	struct stream_pair *pair = malloc(sizeof(*pair));

	if (pair == NULL) {
		close(one);
		close(other);
		return NULL;
	}
	pair->owner = *owner;
	/* Buffers are written before they are read: their pages are touched when they are used. */
	for (int i = 0; i < 2; i++) {
		struct flow *f = &pair->flow[i];

		f->from = i == 0 ? one : other;
		f->to = i == 0 ? other : one;
		f->readable = f->writable = NULL;
		f->at = f->len = 0;
		f->done = false;
	}
	for (int i = 0; i < 2; i++)
		if (make_flow(pair, loop, &pair->flow[i]) < 0) {
			stream_pair_free(pair);
			return NULL;
		}
	return pair;
}

void stream_pair_free(struct stream_pair *pair)
{
	if (pair == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		struct flow *f = &pair->flow[i];

		if (f->readable != NULL)
			event_free(f->readable);
		if (f->writable != NULL)
			event_free(f->writable);
	}
	close(pair->flow[0].from);
	close(pair->flow[0].to);
	free(pair);
}
