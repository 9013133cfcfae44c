/* SPDX-License-Identifier: BSD-3-Clause */
#include "launcher/storage/lost_calls.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/unix_socket.h"

void lost_calls_init(struct lost_calls *calls)
{
	for (int i = 0; i < LOST_CALLS_RINGS; i++) {
		calls->fd[i] = -1;
		calls->unread[i] = false;
	}
}

static void forget(struct lost_calls *calls, unsigned ring)
{
	if (calls->fd[ring] >= 0)
		close(calls->fd[ring]);
	calls->fd[ring] = -1;
	calls->unread[ring] = false;
}

void lost_calls_note(struct lost_calls *calls, const struct vhost_message *m)
{
	unsigned ring = m->payload.u64 & VHOST_VRING_IDX_MASK;

	if (m->header.request != VHOST_SET_VRING_CALL || m->header.size != sizeof(m->payload.u64) ||
		ring >= LOST_CALLS_RINGS)
		return;
	forget(calls, ring);
	if (m->n_fds == 1 && unix_unread(m->fd[0]) >= 0)
		calls->fd[ring] = fcntl(m->fd[0], F_DUPFD_CLOEXEC, 0);
}

int lost_calls_timeout_ms(const struct lost_calls *calls)
{
	for (int i = 0; i < LOST_CALLS_RINGS; i++)
		if (calls->fd[i] >= 0)
			return LOST_CALLS_LOOK_MS;
	return -1;
}

/* As virtiofsd raises it. A socket that is full will be read, or never. */
static void raise_call(int fd)
{
	const uint64_t one = 1;

	(void)send(fd, &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void lost_calls_look(struct lost_calls *calls)
{
	for (int i = 0; i < LOST_CALLS_RINGS; i++) {
		bool unread = calls->fd[i] >= 0 && unix_unread(calls->fd[i]) > 0;

		if (unread && calls->unread[i])
			raise_call(calls->fd[i]);
		calls->unread[i] = unread;
	}
}

void lost_calls_close(struct lost_calls *calls)
{
	for (unsigned i = 0; i < LOST_CALLS_RINGS; i++)
		forget(calls, i);
}
