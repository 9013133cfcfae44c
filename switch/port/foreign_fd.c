/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/port/foreign_fd.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/unix_socket.h"
#include "switch/port/vhost_signal.h"

#define STUCK_AT   128 /* behind one that does not close */
#define STACK_SIZE (64 * 1024)

struct foreign_closer {
	pthread_mutex_t lock; /* of everything below; never held over a close() */
	int *fd;
	unsigned n, room;
	bool running; /* the thread exists, and holds a reference */
	bool freed;
};

static void destroy(struct foreign_closer *c)
{
	pthread_mutex_destroy(&c->lock);
	free(c->fd);
	free(c);
}

struct foreign_closer *foreign_closer_new(void)
{
	struct foreign_closer *c = calloc(1, sizeof(*c));

	if (c)
		pthread_mutex_init(&c->lock, NULL);
	return c;
}

static void *work_off(void *arg)
{
	struct foreign_closer *c = arg;
	bool last;

	pthread_mutex_lock(&c->lock);
	while (c->n > 0) {
		int fd = c->fd[--c->n];

		pthread_mutex_unlock(&c->lock);
		close(fd);
		pthread_mutex_lock(&c->lock);
	}
	c->running = false;
	last = c->freed;
	pthread_mutex_unlock(&c->lock);
	if (last)
		destroy(c);
	return NULL;
}

static bool start_thread(struct foreign_closer *c)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	ret = pthread_create(&thread, &attr, work_off, c);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret == 0;
}

static bool append(struct foreign_closer *c, int fd)
{
	if (c->n == c->room) {
		unsigned room = c->room ? 2 * c->room : 16;
		int *more = realloc(c->fd, room * sizeof(*more));

		if (!more)
			return false;
		c->fd = more;
		c->room = room;
	}
	c->fd[c->n++] = fd;
	return true;
}

/* Seals exist on memory files only; asking for them asks no file system. */
static bool closes_at_once(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0 || vhost_signal_is_eventfd(fd);
}

void foreign_fd_close(struct foreign_closer *c, int fd)
{
	bool queued;

	if (fd < 0)
		return;
	if (!c || closes_at_once(fd)) {
		close(fd);
		return;
	}
	pthread_mutex_lock(&c->lock);
	queued = append(c, fd);
	/* Without a thread it waits for the next descriptor to try again with. */
	if (queued && !c->running)
		c->running = start_thread(c);
	pthread_mutex_unlock(&c->lock);
	if (!queued)
		close(fd);
}

void foreign_connection_close(struct foreign_closer *c, int fd)
{
	int inside[UNIX_FDS_MAX];
	char bytes[4096];

	if (fd < 0)
		return;
	(void)shutdown(fd, SHUT_RDWR);
	while (!foreign_closer_stuck(c)) {
		size_t n = UNIX_FDS_MAX;
		ssize_t got = unix_recv_fds(fd, bytes, sizeof(bytes), inside, &n);

		if (got <= 0 && got != -EMSGSIZE) {
			close(fd);
			return;
		}
		for (size_t i = 0; i < n; i++)
			foreign_fd_close(c, inside[i]);
	}
	foreign_fd_close(c, fd);
}

bool foreign_closer_stuck(struct foreign_closer *c)
{
	bool stuck;

	if (!c)
		return false;
	pthread_mutex_lock(&c->lock);
	stuck = c->n > STUCK_AT;
	pthread_mutex_unlock(&c->lock);
	return stuck;
}

void foreign_closer_free(struct foreign_closer *c)
{
	bool last;

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->freed = true;
	last = !c->running;
	pthread_mutex_unlock(&c->lock);
	if (!last)
		return;
	for (unsigned i = 0; i < c->n; i++)
		close(c->fd[i]);
	destroy(c);
}
